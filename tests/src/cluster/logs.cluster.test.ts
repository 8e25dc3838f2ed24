/** Logs of real pods that go quickly, by both ways they come: the kubelet's files on a node, and the API where there is no node. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import { type ClusterRig, kubeconfig, NO_CLUSTER, startClusterRig } from "./cluster-rig.ts";

const LINES = 20_000;
const POD_LOGS = "/var/log/pods";

/** Every worker prints, tells the master, and runs on; the master ends, and the operator removes them at once. */
const REMOVED_WHILE_RUNNING = `
cat > $HOME/node.py <<'END'
import os, socket, sys, time
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
address = (os.environ["MASTER_ADDR"], 23456)
if rank > 0:
    for i in range(${LINES}): print("line", i)
    sys.stdout.flush()
    while True:
        try:
            with socket.create_connection(address, 1) as master: master.sendall(b"!")
            break
        except OSError: time.sleep(0.1)
    time.sleep(600)
server = socket.create_server(("", 23456))
for _ in range(world - 1): server.accept()[0].recv(1)
print("all told")
END
exec python3 $HOME/node.py`;

/** The second is containerd's: 1.6 drops what is still in a container's pipe when the container ends (measured on bare pods). */
const BURST = `python3 -c 'for i in range(${LINES}): print("line", i)'; sleep 1`;

/** More than the kubelet keeps in a file (10 MiB), in bursts further apart than it looks (10 s). */
const ROTATED_LINES = 120_000;
const ROTATED = `exec python3 -c 'import sys, time
for part in range(3):
    for i in range(part * ${ROTATED_LINES / 3}, (part + 1) * ${ROTATED_LINES / 3}): print("line", i, "x" * 300)
    sys.stdout.flush()
    time.sleep(15)'`;

const numbered = Array.from({ length: LINES }, (_, at) => `line ${at}`);
const own = (log: readonly string[]) => log.slice(log.indexOf("[aiep] command started") + 1);

describe.skipIf(kubeconfig === undefined)(kubeconfig === undefined ? NO_CLUSTER : "logs of real pods", () => {
  it.each([
    ["by an agent on their node", false],
    ["followed over the API", true],
  ])(
    "are whole and in order, %s: a pod that ends at once, and workers removed while they run (I8)",
    async (_how, elsewhere) => {
      await using cluster = await startClusterRig({ elsewhere });
      try {
        await expectWholeLogs(cluster);
      } catch (error) {
        process.stderr.write(`${await cluster.rig.tails()}\n`);
        throw error;
      }
    },
    240_000,
  );

  it.skipIf(!existsSync(POD_LOGS))(
    "are whole over the kubelet's rotation and compression (I8)",
    async () => {
      await using cluster = await startClusterRig();
      const id = await cluster.create("rotated", { command: ROTATED });
      const folders = async () => (await readdir(POD_LOGS)).filter((name) => name.includes(id));
      await waitFor(
        "the kubelet rotates",
        async () => {
          const [folder] = await folders();
          const files = folder === undefined ? [] : await readdir(join(POD_LOGS, folder, "main"));
          return files.length > 1;
        },
        { timeoutMs: 120_000, intervalMs: 500 },
      );
      expect(await cluster.ended(id)).toMatchObject({ state: "Succeeded" });
      const log = own(await cluster.log(id, "worker-0")).map((line) => line.replace(/ x+$/, ""));
      const expected = Array.from({ length: ROTATED_LINES }, (_, at) => `line ${at}`);
      expect(partingOf(log, expected)).toBeUndefined();
    },
    240_000,
  );
});

/** Where two logs part; a difference of twenty thousand lines would be no message. */
function partingOf(log: readonly string[], expected: readonly string[]): object | undefined {
  const at = expected.findIndex((line, index) => log[index] !== line);
  if (at < 0 && log.length === expected.length) return undefined;
  const line = at < 0 ? expected.length : at;
  return {
    line,
    found: log.slice(line, line + 3),
    expected: expected.slice(line, line + 3),
    lines: log.length,
  };
}

async function expectWholeLogs(cluster: ClusterRig): Promise<void> {
  const burst = await cluster.create("burst", { command: BURST });
  const removed = await cluster.create("removed", {
    command: REMOVED_WHILE_RUNNING,
    model: "DDP",
    workers: 3,
  });
  expect(await cluster.ended(burst)).toMatchObject({ state: "Succeeded" });
  expect(partingOf(own(await cluster.log(burst, "worker-0")), numbered)).toBeUndefined();
  expect(await cluster.ended(removed)).toMatchObject({ state: "Succeeded" });
  expect(own(await cluster.log(removed, "worker-0"))).toEqual(["all told"]);
  // Then sh tells, or does not, that it was asked to end.
  for (const node of ["worker-1", "worker-2"])
    expect(partingOf(own(await cluster.log(removed, node)).slice(0, LINES), numbered)).toBeUndefined();
}
