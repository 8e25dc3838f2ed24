import { randomBytes } from "node:crypto";
import { UsageError } from "../config.ts";
import { LOCAL_RUNTIME, readRuntime, writeRuntime } from "../home/runtime.ts";
import type { CommandContext } from "./context.ts";

/** Settles where tasks run before the supervisor starts; a cluster is looked at anew each time. */
export async function chooseRuntime({ config, layout, terminal }: CommandContext): Promise<void> {
  const before = await readRuntime(layout);
  const kind = config.runtime ?? before?.kind ?? "local";
  if (before !== undefined && before.kind !== kind)
    throw new UsageError(
      `the stack in ${layout.home} runs its tasks with the ${before.kind} runtime, and they would be lost to the ${kind} one. Use another folder (AIEP_HOME=…), or begin anew: npm run stack -- reset`,
    );
  if (kind === "local") {
    await writeRuntime(layout, LOCAL_RUNTIME);
    return;
  }
  const { prepareCluster } = await import("../kubernetes/cluster.ts");
  const { kubeconfig, image, prepareImage } = config.kubernetes;
  const kept = before?.kind === "kubernetes" ? before : undefined;
  const asked = config.runtime === undefined ? kept : undefined;
  const runtime = await prepareCluster(
    asked ?? {
      kubeconfig,
      instance: kept?.instance ?? `local-${randomBytes(4).toString("hex")}`,
      namespaces: { demo: "ns-demo", small: "ns-small" },
      image,
      prepare_image: prepareImage,
    },
    (line) => terminal.say(`  ${line}`),
  );
  await writeRuntime(layout, runtime);
}
