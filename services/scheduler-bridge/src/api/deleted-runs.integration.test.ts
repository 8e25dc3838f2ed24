import { runId } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { randomHex } from "@aiep/service-kit";
import { expect, it } from "vitest";
import { openBridge } from "../testing/opened-bridge.ts";
import { knownExperiment } from "../testing/published-flow.ts";
import { toldRun } from "../testing/told-run.ts";

const { ground, bridge } = await openBridge();

it("the deletion of old runs starts nothing, however wide a trigger's pattern is, and is heard all the same (I6)", async () => {
  const experiment = await knownExperiment(ground);
  const order = { name: "after runs", experiment_id: experiment };
  const { body: trigger } = await bridge.ok("createEventTrigger", {
    body: { ...order, event: "workflow.run_*" },
  });
  const run = toldRun(ground, { id: runId.parse(randomHex(16)), experiment });
  await run.created();
  await run.becomes("Succeeded");
  await run.deleted(null);
  await waitFor("all of it is heard", async () => {
    const [row] = await ground.pool.query<{ version: number }>(
      "SELECT version FROM consumer_versions WHERE aggregate_type = 'run' AND aggregate_id = ?",
      [run.id],
    );
    return row?.version === run.version();
  });
  const { body } = await bridge.ok("listFires", { query: { source_id: trigger.id } });
  expect(body.items).toHaveLength(2);
  const refused = await bridge.refused("createEventTrigger", {
    body: { ...order, event: "workflow.run_deleted" },
  });
  expect(refused.errors?.map(({ pointer }) => pointer)).toEqual(["/event"]);
});
