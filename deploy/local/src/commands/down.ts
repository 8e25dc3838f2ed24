import { goneWithin, signalProcess } from "../processes/identity.ts";
import { endLeftovers } from "../processes/leftovers.ts";
import { runningNodes } from "../processes/task-nodes.ts";
import { seconds } from "../terminal.ts";
import { type CommandContext, liveState } from "./context.ts";

/** Longer than everything the supervisor itself allows its parts, one after the other. */
const LIMIT_MS = 90_000;

/** Stops everything in reverse order. Tasks that run keep running: the next start adopts them (D14). */
export async function down({ layout, terminal }: CommandContext): Promise<void> {
  const state = await liveState(layout);
  if (state === undefined) {
    const ended = await endLeftovers(layout.stateFile);
    terminal.say(
      ended.length === 0
        ? "the stack is not up"
        : `the supervisor was gone; ended what it had left: ${ended.join(", ")}`,
    );
    return;
  }
  const started = performance.now();
  await signalProcess(state.supervisor, "SIGTERM");
  if (!(await goneWithin(state.supervisor, LIMIT_MS))) {
    terminal.say(
      `the supervisor (pid ${state.supervisor.pid}) did not end in ${seconds(LIMIT_MS)}; ending it by force`,
    );
    await signalProcess(state.supervisor, "SIGKILL");
    await goneWithin(state.supervisor, 5_000);
    await endLeftovers(layout.stateFile);
  }
  terminal.say(
    `the stack is down (${seconds(performance.now() - started)}); its data stay in ${layout.home}`,
  );
  const { length } = await runningNodes(layout.runtimeDir);
  if (length > 0)
    terminal.say(
      `${length} task ${length === 1 ? "node runs" : "nodes run"} on; the next start adopts them, reset ends them`,
    );
}
