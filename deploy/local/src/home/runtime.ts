import * as z from "zod";
import { readIfThere, writeAtomic } from "./files.ts";
import type { Layout } from "./layout.ts";

/*
 * Where the stack's tasks run: on this machine, or in a cluster. Chosen at the first start and kept, because tasks of one
 * runtime mean nothing to the other. What depends on the cluster's present state is found anew at each start.
 */

const local = z.strictObject({ kind: z.literal("local") });

const kubernetes = z.strictObject({
  kind: z.literal("kubernetes"),
  kubeconfig: z.string(),
  /** Tells this stack's objects from those of others in the cluster. */
  instance: z.string(),
  namespaces: z.strictObject({ demo: z.string(), small: z.string() }),
  image: z.string(),
  prepare_image: z.string(),
  /** This machine is the cluster's only node: its folders can be mounted, its kubelet's log folder can be read. */
  same_machine: z.boolean(),
  /** An address of this machine that pods reach. */
  downloads_host: z.string(),
});

const runtimeSchema = z.discriminatedUnion("kind", [local, kubernetes]);
export type StackRuntime = z.infer<typeof runtimeSchema>;
export type KubernetesStack = z.infer<typeof kubernetes>;

export const LOCAL_RUNTIME: StackRuntime = { kind: "local" };

/** Undefined before the first start; stacks older than the choice are local. */
export async function readRuntime(layout: Layout): Promise<StackRuntime | undefined> {
  const text = await readIfThere(layout.runtimeFile);
  if (text !== undefined) return runtimeSchema.parse(JSON.parse(text));
  return (await readIfThere(layout.directoryFile)) === undefined ? undefined : LOCAL_RUNTIME;
}

export async function writeRuntime(layout: Layout, runtime: StackRuntime): Promise<void> {
  await writeAtomic(layout.runtimeFile, `${JSON.stringify(runtime, undefined, 2)}\n`);
}
