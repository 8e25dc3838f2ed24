import { rm } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { UsageError } from "../config.ts";
import { type KubernetesStack, readRuntime } from "../home/runtime.ts";
import { endNodes } from "../processes/task-nodes.ts";
import type { Terminal } from "../terminal.ts";
import type { CommandContext } from "./context.ts";
import { down } from "./down.ts";

/** Down, then everything the stack keeps is removed: tasks, logs, keys, the directory document. */
export async function reset(context: CommandContext, { yes }: { readonly yes: boolean }): Promise<void> {
  const { layout, terminal } = context;
  if (!yes) await confirm(layout.home);
  await down(context);
  const runtime = await readRuntime(layout);
  if (runtime?.kind === "kubernetes") await endInCluster(runtime, terminal);
  const ended = await endNodes(layout.runtimeDir);
  if (ended > 0) terminal.say(`ended ${ended} running task ${ended === 1 ? "node" : "nodes"}`);
  await rm(layout.home, { recursive: true, force: true });
  terminal.say(`${layout.home} is removed`);
}

/** A cluster that is gone takes nothing away that reset could not. */
async function endInCluster(runtime: KubernetesStack, terminal: Terminal): Promise<void> {
  const { removeWorkloads } = await import("../kubernetes/cluster.ts");
  try {
    await removeWorkloads(runtime);
    terminal.say("the tasks in the cluster are removed; its namespaces stay");
  } catch (error) {
    terminal.say(
      `the tasks in the cluster may still be there: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

async function confirm(home: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new UsageError(`this removes ${home} with all tasks and logs; add --yes to do it`);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await prompt.question(`Remove ${home} with all tasks, logs and keys? [y/N] `);
  prompt.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError("nothing was removed");
}
