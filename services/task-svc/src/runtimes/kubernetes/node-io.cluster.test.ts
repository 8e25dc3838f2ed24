/** Directories and values between tasks on real pods. Needs KUBECONFIG, and the cluster's node to be this machine. */
import { type TaskIo, type TaskSpec, taskIo } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, test } from "vitest";
import type { Workload } from "../../domain/runtime.ts";
import {
  dataMount,
  MASTER_LAST,
  run,
  untilEnded,
  untilLog,
  userText,
  type Wanted,
  workload,
} from "../conformance/stage.ts";
import { type ClusterStage, openClusterStage } from "./testing/cluster-stage.ts";

const kubeconfig = process.env["KUBECONFIG"] ?? "";

const task = (stage: ClusterStage, command: string, io: Partial<TaskIo>, wanted: Wanted = {}) =>
  workload(stage, command, { ...wanted, spec: { ...wanted.spec, io: taskIo.parse(io) } });

const MODEL = { output_directories: [{ name: "model", path: "/work/model" }], output_values: true };

async function outputsOf(stage: ClusterStage, given: Workload) {
  await untilEnded(stage, given);
  const observation = await stage.runtime.observe(given);
  return observation.kind === "present" ? observation.outputs : undefined;
}

const lines = (log: { readonly stdout: Buffer }) => log.stdout.toString("utf8");

if (kubeconfig === "")
  test.skip("SKIPPED: no cluster here; set KUBECONFIG to run this suite", () => undefined);
else
  describe("directories and values between tasks in pods", () => {
    test("what one task leaves, another one reads: content, links, rights, names of any length, values", async () => {
      await using stage = await openClusterStage(kubeconfig);
      const long = `deep/${"训练".repeat(40)}/${"x".repeat(180)}`;
      const train = task(
        stage,
        `mkdir -p "$(dirname "/work/model/${long}")" && echo weights > "/work/model/${long}" && ln -s "${long}" "$AIEP_OUTPUT_MODEL/latest"
chmod 750 "/work/model/${long}"; mkdir /work/model/empty; echo '{"rows": 3, "path": "训练"}' > "$AIEP_OUTPUTS"
env | grep -c TOKEN || :`,
        MODEL,
      );
      await run(stage, train);
      const outputs = await outputsOf(stage, train);
      expect(outputs).toMatchObject({
        values: { rows: 3, path: "训练" },
        directories: [{ name: "model", file_count: 2, size_bytes: 8 }],
      });
      const left = await untilLog(stage, train);
      expect(userText(left)).toMatch(/^0\n\[aiep\] directory model kept: 2 files, 8 bytes, sha256:/);
      expect(lines(left)).toContain("[aiep] outputs: rows, path\n");

      const digest = outputs?.directories[0]?.digest ?? "";
      const use = task(
        stage,
        `cat /given/m/latest; stat -c %a "/given/m/${long}"; echo "$AIEP_INPUT_M"; ls -d /given/m/empty; echo x 2>&1 > /given/m/new || echo refused`,
        { input_directories: [{ name: "m", digest, path: "/given/m" }] },
      );
      await run(stage, use);
      const read = await untilLog(stage, use);
      expect(userText(read)).toMatch(/^weights\n750\n\/given\/m\n\/given\/m\/empty\n/);
      expect(userText(read)).toContain("refused\n");
      expect(lines(read)).toContain(`[aiep] directory m: ${digest.slice(0, 19)} placed at /given/m\n`);
    });

    test("of several nodes worker-0 leaves, and all are given", async () => {
      await using stage = await openClusterStage(kubeconfig);
      const ddp = { mode: "DDP" as const, workers: 2, spec: { mounts: [dataMount(stage)] } };
      const train = task(stage, `echo "$RANK" > /work/model/rank\n${MASTER_LAST}`, MODEL, ddp);
      await run(stage, train);
      const outputs = await outputsOf(stage, train);
      expect(outputs?.directories).toMatchObject([{ file_count: 1, size_bytes: 2 }]);
      const digest = outputs?.directories[0]?.digest ?? "";
      const io = { input_directories: [{ name: "m", digest, path: "/given/m" }] };
      const read = `cat /given/m/rank > "$DATA/read-$RANK"; until [ -s "$DATA/read-1" ]; do sleep 0.05; done`;
      const use = task(stage, read, io, ddp);
      await run(stage, use);
      expect([stage.storage.read("read-0"), stage.storage.read("read-1")]).toEqual(["0\n", "0\n"]);
    });

    test("without the platform's busybox the image's own tar and python send as well", async () => {
      await using stage = await openClusterStage(kubeconfig);
      const train = task(stage, "echo w > /work/model/w; rm /aiep/run/busybox", MODEL);
      await run(stage, train);
      expect((await outputsOf(stage, train))?.directories).toMatchObject([{ file_count: 1, size_bytes: 2 }]);
    });

    test.each([
      ["no JSON", `echo nonsense > "$AIEP_OUTPUTS"`, "is not one JSON object"],
      [
        "a directory with a link out of it",
        "ln -s /etc /work/model/etc",
        "etc is a link that leaves the directory",
      ],
      ["a directory with a pipe", "mkfifo /work/model/p", "neither a file nor a folder"],
      ["a file nobody can read", "echo > /work/model/s; chmod 0 /work/model/s", "cannot be packed"],
    ])("%s: the task fails and says why, though its command ended with 0", async (_, command, why) => {
      await using stage = await openClusterStage(kubeconfig);
      const bad = task(stage, command, MODEL);
      await run(stage, bad);
      const ended = await untilEnded(stage, bad);
      expect(ended).toMatchObject([
        { state: "Failed", reason: "OutputsInvalid", message: expect.stringContaining(why) },
      ]);
      expect(lines(await untilLog(stage, bad))).toContain(why);
    });

    test("a command that fails leaves nothing, and a directory that is not kept refuses the node by name", async () => {
      await using stage = await openClusterStage(kubeconfig);
      const failing = task(stage, `echo '{"rows": 3}' > "$AIEP_OUTPUTS"; exit 4`, MODEL);
      const io = { input_directories: [{ name: "m", digest: `sha256:${"0".repeat(64)}`, path: "/given/m" }] };
      const use = task(stage, "true", io);
      await Promise.all([run(stage, failing), run(stage, use)]);
      expect(await untilEnded(stage, failing)).toMatchObject([{ state: "Failed", exitCode: 4 }]);
      expect(await outputsOf(stage, failing)).toBeUndefined();
      expect(await untilEnded(stage, use)).toMatchObject([
        { state: "Failed", reason: "InputsInvalid", message: expect.stringContaining("directory m") },
      ]);
    });

    test("R4: what is left while nobody of the platform is there arrives when it is back, and once", async () => {
      await using stage = await openClusterStage(kubeconfig);
      const mounts: TaskSpec["mounts"] = [dataMount(stage)];
      const train = task(
        stage,
        `echo w > /work/model/w; echo begun > "$DATA/begun"; until [ -e "$DATA/go" ]; do sleep 0.05; done; echo '{"n": 1}' > "$AIEP_OUTPUTS"`,
        MODEL,
        { spec: { mounts } },
      );
      await stage.runtime.launch(train);
      await waitFor("the command runs", () => stage.storage.read("begun") !== "", { timeoutMs: 60_000 });
      await stage.downloads.stop();
      stage.storage.write("go", "");
      await stage.restart();
      await stage.downloads.start();
      const outputs = await outputsOf(stage, train);
      expect(outputs).toMatchObject({ values: { n: 1 }, directories: [{ file_count: 1 }] });
      await stage.restart();
      expect(await outputsOf(stage, train)).toEqual(outputs);
    });

    test("a stop while what is left waits for the platform ends the node", async () => {
      await using stage = await openClusterStage(kubeconfig);
      const mounts = [dataMount(stage)];
      const train = task(
        stage,
        `echo begun > "$DATA/begun"; until [ -e "$DATA/go" ]; do sleep 0.05; done`,
        MODEL,
        {
          spec: { mounts },
        },
      );
      await stage.runtime.launch(train);
      await waitFor("the command runs", () => stage.storage.read("begun") !== "", { timeoutMs: 60_000 });
      await stage.downloads.stop();
      stage.storage.write("go", "");
      await stage.runtime.stop(train, { graceSeconds: 20 });
      expect(await untilEnded(stage, train)).toMatchObject([{ state: "Stopped" }]);
      await stage.downloads.start();
    });
  });
