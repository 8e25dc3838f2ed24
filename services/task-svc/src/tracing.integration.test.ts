import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { taskDetail } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { createSqlPool, fromJson } from "@aiep/service-kit";
import { expect, it } from "vitest";
import { layServiceGround, submission } from "./testing/service-process.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const OF_TRACE = new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`);

it("D6: the trace of a submit is in the log, in every outbox row and message of the task, and in its environment", async () => {
  await using ground = await layServiceGround();
  await using pool = createSqlPool({ url: ground.databaseUrl });
  await using service = await ground.start();
  const answer = await service.call("alice", "POST", "/v1/tasks", submission('echo "given $TRACEPARENT"'), {
    traceparent: `00-${TRACE}-00f067aa0ba902b7-01`,
    "x-request-id": "traced-submit",
  });
  const { id } = taskDetail.parse(answer.body);
  const rows = await waitFor("the task ended and everything is published", async () => {
    const found = await pool.query<{ type: string; headers: string; published_at: Date | null }>(
      "SELECT type, headers, published_at FROM outbox WHERE aggregate_id = ? ORDER BY aggregate_version",
      [id],
    );
    const ended = found.at(-1)?.type === "aiep.task.succeeded.v1";
    return ended && found.every((row) => row.published_at !== null) && found;
  });

  for (const { type, headers } of rows)
    expect(fromJson(headers), type).toMatchObject({ traceparent: expect.stringMatching(OF_TRACE) });

  for (const { type } of rows) {
    const event = type.split(".").at(-2);
    const subject = `aiep.test.evt.task.g1.${id}.${event}`;
    const message = await ground.bus.jsm.streams.getMessage("TASK", { last_by_subj: subject });
    expect(message?.header.get("traceparent"), type).toMatch(OF_TRACE);
  }

  const lines = service
    .output()
    .split("\n")
    .filter((line) => line.includes("traced-submit"));
  expect(lines.map((line): unknown => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ audit: "createTask", trace_id: TRACE }),
  );

  const logs = await waitFor("the task's output is in its log", () => {
    const files = globSync("*/*/*.log", { cwd: ground.logsDir });
    const text = files.map((file) => readFileSync(join(ground.logsDir, file), "utf8")).join("");
    return text.includes("given ") && text;
  });
  expect(/given (\S+)/.exec(logs)?.[1]).toMatch(OF_TRACE);
});
