import {
  cancelRun,
  type ExperimentId,
  fireId,
  groupId,
  type RunId,
  runId,
  runRejected,
} from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { randomHex } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { startCommandId } from "../domain/fire.ts";
import type { Bridge } from "../testing/bridge.ts";
import { openBridge } from "../testing/opened-bridge.ts";
import { type Answer, knownExperiment, publishedFlow, send } from "../testing/published-flow.ts";
import { type ToldRun, toldRun } from "../testing/told-run.ts";

const { ground, bridge } = await openBridge();

interface Started {
  readonly fire: string;
  readonly token: string;
  readonly run: ToldRun;
  readonly experiment: ExperimentId;
  readonly runId: RunId;
}

/** A triggered run, of which nothing was told yet. */
async function started(): Promise<Started> {
  const experiment = await knownExperiment(ground);
  const published = await publishedFlow(ground, experiment);
  const order = { execution: String(Number.parseInt(randomHex(4), 16)), version_name: "v1" };
  const { values } = await published.trigger(bridge, order);
  const id = runId.parse(values["run_id"]);
  const [fire, token] = [String(values["fire_id"]), String(values["wait_token"])];
  return { fire, token, run: toldRun(ground, { id, experiment }), experiment, runId: id };
}

async function wait(
  { url }: Pick<Bridge, "url">,
  { fire, token }: Pick<Started, "fire" | "token">,
  { after = 0, seconds = 25, accept = "application/json" } = {},
): Promise<Answer> {
  return await send(`${url}/v1/fires/${fire}/wait?after=${after}&wait_seconds=${seconds}`, {
    headers: { "aiep-wait-token": token, accept },
  });
}

async function cancel({ fire, token }: Pick<Started, "fire" | "token">): Promise<Answer> {
  const headers = { "aiep-wait-token": token };
  return await send(`${bridge.url}/v1/fires/${fire}/cancel`, { method: "POST", headers });
}

const cancels = async (run: RunId) =>
  await ground.pool.query("SELECT event_id FROM outbox WHERE type = ? AND payload LIKE ?", [
    cancelRun.type,
    `%${run}%`,
  ]);

describe("a waiting flow", () => {
  it("reads what its run does, line by line, each once, and its end", async () => {
    const one = await started();
    const lines: string[] = [];
    let after = 0;
    const next = async () => {
      const { values } = await wait(bridge, one, { after });
      lines.push(...(values["lines"] as string[])); // the answer's schema says so
      after = Number(values["after"]);
      return values;
    };
    const until = async (line: string) => {
      while (!lines.includes(line)) await next();
    };
    const waiting = until("train: Running");
    await one.run.created();
    await one.run.becomes("Running", { train: "Ready" });
    await one.run.updated({ train: "Running" });
    await waiting;
    await one.run.becomes("Succeeded", { train: "Succeeded" });
    let end: unknown = null;
    while (end === null) end = (await next())["end"];
    expect(end).toEqual({ succeeded: true, message: `Run ${one.runId} ended as Succeeded` });
    expect(lines).toEqual(["run: Created", "run: Running", "train: Running", "train: Succeeded"]);
    const again = await wait(bridge, one, { accept: "text/plain" });
    expect(again.text).toBe(
      [
        ...lines.map((line) => `line ${line}`),
        `after ${after}`,
        "state Succeeded",
        `end succeeded Run ${one.runId} ended as Succeeded`,
        "",
      ].join("\n"),
    );
  });

  it("is told that its run failed, and why", async () => {
    const one = await started();
    await one.run.created();
    await one.run.becomes("Failed", { train: "Failed" }, "node train failed: exit code 1");
    await waitFor("the end", async () => (await wait(bridge, one)).values["end"] !== null);
    const { values } = await wait(bridge, one);
    expect(values["end"]).toEqual({
      succeeded: false,
      message: `Run ${one.runId} ended as Failed: node train failed: exit code 1`,
    });
  });

  it("is told that its run was refused", async () => {
    const one = await started();
    const id = startCommandId(fireId.parse(one.fire));
    const at = { type: "command", id };
    await ground.tell(runRejected, at, {
      ...{ command_id: id, group_id: groupId.parse("vision"), command: "start_run" },
      ...{ code: "RUN_PARAMETERS_INVALID", detail: "Parameter lr takes a number, not x.", errors: [] },
    });
    const { values } = await wait(bridge, one);
    expect(values).toMatchObject({
      state: "Rejected",
      end: { succeeded: false, message: expect.stringContaining("Parameter lr takes a number") },
    });
  });

  it("learns nothing without its token, or with that of another fire", async () => {
    const [one, other] = [await started(), await started()];
    for (const token of ["", "x", other.token]) {
      const answer = await wait(bridge, { fire: one.fire, token });
      expect([answer.status, answer.values["code"]]).toEqual([404, "FIRE_NOT_FOUND"]);
      expect((await cancel({ fire: one.fire, token })).status).toBe(404);
    }
    expect((await wait(bridge, { fire: randomHex(16), token: one.token })).status).toBe(404);
    expect(await cancels(one.runId)).toEqual([]);
  });

  it("goes on over our restart, and misses nothing", async () => {
    const one = await started();
    const first = await ground.start();
    const asked = async () => {
      const [row] = await ground.pool.query<{ at: Date }>(
        "SELECT last_wait_at AS at FROM fires WHERE id = ?",
        [one.fire],
      );
      return row?.at.getTime();
    };
    const before = await asked();
    const waiting = wait(first, one, { after: 0 });
    await waitFor("it waits there", async () => (await asked()) !== before);
    expect(await first.stop()).toBe(0);
    expect((await waiting).values).toMatchObject({ lines: [], after: 0, end: null });
    await one.run.created();
    await one.run.becomes("Running", { train: "Running" });
    await one.run.becomes("Succeeded", { train: "Succeeded" });
    await using second = await ground.start();
    await waitFor("the end", async () => (await wait(second, one)).values["end"] !== null);
    const { values } = await wait(second, one);
    expect(values["lines"]).toEqual(["run: Created", "train: Running", "run: Running", "train: Succeeded"]);
  });
});

describe("a flow that is told to end", () => {
  it("I9: has its run cancelled, once however often it asks, and its end says so", async () => {
    const one = await started();
    await one.run.created();
    await one.run.becomes("Running");
    await waitFor("it runs", async () => (await wait(bridge, one)).text.includes("run: Running"));
    expect((await cancel(one)).status).toBe(202);
    expect((await cancel(one)).status).toBe(202);
    expect(await cancels(one.runId)).toHaveLength(1);
    await one.run.becomes("Cancelling");
    await one.run.becomes("Cancelled");
    await waitFor("the end", async () => (await wait(bridge, one)).values["end"] !== null);
    expect((await wait(bridge, one)).values).toMatchObject({
      state: "Cancelled",
      end: {
        succeeded: false,
        message: `Run ${one.runId} ended as Cancelled: The published flow was told to end.`,
      },
    });
    expect((await cancel(one)).status).toBe(202);
    expect(await cancels(one.runId)).toHaveLength(1);
  });

  it("I9: also when the cancel comes before the run: it is sent again when the run is there", async () => {
    const one = await started();
    await cancel(one);
    expect(await cancels(one.runId)).toHaveLength(1);
    await one.run.created();
    await waitFor("it is sent again", async () => (await cancels(one.runId)).length === 2);
    await one.run.becomes("Cancelling");
    await one.run.becomes("Cancelled");
    await waitFor("the end", async () => (await wait(bridge, one)).values["end"] !== null);
    expect(await cancels(one.runId)).toHaveLength(2);
  });
});
