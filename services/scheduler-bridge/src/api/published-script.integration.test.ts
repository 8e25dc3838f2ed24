import { cancelRun, runIdOfCommand } from "@aiep/contracts";
import { freePort, waitFor } from "@aiep/dev-servers";
import { randomHex } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import {
  packageOptions,
  ScriptFolder,
  SHELLS,
  type StartedScript,
} from "../schedulers/wtss/testing/script.ts";
import { openBridge } from "../testing/opened-bridge.ts";
import { knownExperiment, type PublishedFlow, publishedFlow } from "../testing/published-flow.ts";
import { type ToldRun, toldRun } from "../testing/told-run.ts";

/** The published script, started by a real shell, against the real service; runs are told by the test. */

const port = await freePort();
/** At the address that the script was published with. */
const env = { AIEP_HTTP_PORT: String(port) };
const opened = await openBridge(env);
const { ground } = opened;
let { bridge } = opened;

const [SH = ["sh"]] = SHELLS;

async function published(): Promise<{ flow: PublishedFlow; folder: ScriptFolder }> {
  const of = await knownExperiment(ground);
  const flow = await publishedFlow(ground, of);
  const folder = await ScriptFolder.open({
    ...packageOptions,
    ...{ triggerBaseUrl: `http://127.0.0.1:${port}`, publicationId: flow.id, experimentId: of },
    ...{ versionName: "v1", secret: flow.secret, parameters: { day: "${run_date}", note: "训练 'a' \"b\"" } },
  });
  return { flow, folder };
}

const args = (execution: string) => [`execution=${execution}`, "attempt=0", "run_date=20260301", "=20260301"];
const newExecution = () => String(Number.parseInt(randomHex(3), 16));

const startsOf = async ({ id }: PublishedFlow) =>
  (await ground.startCommands()).filter(({ data }) => data.origin?.publication_id === id);

/** The run that a script asked for. */
async function runOf(flow: PublishedFlow, execution: string): Promise<ToldRun> {
  const find = async () =>
    (await startsOf(flow)).find(({ data }) => data.origin?.external_id === `${execution}.0`);
  await waitFor(`execution ${execution} asked`, async () => (await find()) !== undefined);
  const command = await find();
  return toldRun(ground, { id: runIdOfCommand(command?.id ?? ""), experiment: flow.experiment });
}

const printed = async (script: StartedScript, text: string) =>
  await waitFor(`it prints ${text}`, () => script.output().includes(text), { timeoutMs: 30_000 });

describe("the published script against the service", () => {
  it("prints the documents' line and what nodes do, and succeeds with its run", async () => {
    const { flow, folder } = await published();
    await using _ = folder;
    const execution = newExecution();
    const script = folder.start(SH, args(execution));
    const run = await runOf(flow, execution);
    const [command] = await startsOf(flow);
    expect(command?.data).toMatchObject({
      run_date: "20260301",
      parameters: { day: "20260301", note: "训练 'a' \"b\"" },
    });
    await run.created();
    await run.becomes("Running", { train: "Running" });
    await printed(script, "train: Running");
    await run.becomes("Succeeded", { train: "Succeeded" });
    expect(await script.exited).toBe(0);
    const [first = "", ...lines] = script.output().trimEnd().split("\n");
    expect(first).toContain(`实验工作流(${run.id.slice(0, 9)})提交执行成功`);
    expect(lines).toEqual([
      ...["run: Created", "train: Running", "run: Running", "train: Succeeded"],
      `[aiep] Run ${run.id} ended as Succeeded`,
    ]);
  });

  it("fails with its run, and says why", async () => {
    const { flow, folder } = await published();
    await using _ = folder;
    const execution = newExecution();
    const script = folder.start(SH, args(execution));
    const run = await runOf(flow, execution);
    await run.created();
    await run.becomes("Failed", { train: "Failed" }, "node train failed: exit code 1");
    expect(await script.exited).toBe(1);
    expect(script.output()).toContain("ended as Failed: node train failed: exit code 1");
  });

  it("fails at once when its webhook is refused, with the reason", async () => {
    const { flow, folder } = await published();
    await using _ = folder;
    await ground.pool.execute("UPDATE publications SET state = 'Unpublished' WHERE id = ?", [flow.id]);
    const script = folder.start(SH, args(newExecution()));
    expect(await script.exited).toBe(1);
    expect(script.output()).toContain("was taken back; it starts no more runs");
    expect(await startsOf(flow)).toEqual([]);
  });

  it("has each of two executions at once its own run and its own lines", async () => {
    const { flow, folder } = await published();
    await using _ = folder;
    const [one, two] = [newExecution(), newExecution()];
    const scripts = [folder.start(SH, args(one)), folder.start(SH, args(two))];
    const [left, right] = [await runOf(flow, one), await runOf(flow, two)];
    expect(left.id).not.toBe(right.id);
    await left.created();
    await right.created();
    await left.becomes("Failed", { left: "Failed" }, "no data");
    await right.becomes("Succeeded", { right: "Succeeded" });
    expect(await Promise.all(scripts.map(async ({ exited }) => await exited))).toEqual([1, 0]);
    expect(scripts[0]?.output()).not.toContain("right: Succeeded");
    expect(scripts[1]?.output()).not.toContain("left: Failed");
  });

  it("I9: has its run cancelled when it is told to end", async () => {
    const { flow, folder } = await published();
    await using _ = folder;
    const execution = newExecution();
    const script = folder.start(SH, args(execution));
    const run = await runOf(flow, execution);
    await run.created();
    await run.becomes("Running");
    await printed(script, "run: Running");
    script.process.kill("SIGTERM");
    expect(await script.exited).toBe(143);
    const cancels = await ground.pool.query("SELECT 1 FROM outbox WHERE type = ? AND payload LIKE ?", [
      cancelRun.type,
      `%${run.id}%`,
    ]);
    expect(cancels).toHaveLength(1);
  });

  it("survives our restart in the middle, prints each line once, and ends with its run", async () => {
    const { flow, folder } = await published();
    await using _ = folder;
    const execution = newExecution();
    const script = folder.start(SH, args(execution));
    const run = await runOf(flow, execution);
    await run.created();
    await run.becomes("Running", { train: "Running" });
    await printed(script, "run: Running");
    expect(await bridge.stop()).toBe(0);
    await run.updated({ train: "Succeeded", test: "Running" });
    bridge = await ground.start(env);
    await printed(script, "test: Running");
    await run.becomes("Succeeded", { test: "Succeeded" });
    expect(await script.exited).toBe(0);
    const lines = script
      .output()
      .split("\n")
      .filter((line) => /^(train|test|run): /.test(line));
    expect(lines).toEqual([
      ...["run: Created", "train: Running", "run: Running", "train: Succeeded"],
      ...["test: Running", "test: Succeeded"],
    ]);
    expect(await startsOf(flow)).toHaveLength(1);
  });
});
