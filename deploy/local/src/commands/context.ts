import type { StackConfig } from "../config.ts";
import type { Layout } from "../home/layout.ts";
import { readState, type StackState } from "../home/state.ts";
import { isAlive } from "../processes/identity.ts";
import type { Terminal } from "../terminal.ts";

/** What every command has at hand. */
export interface CommandContext {
  readonly config: StackConfig;
  readonly layout: Layout;
  readonly terminal: Terminal;
}

/** The state as far as it is true: undefined when no supervisor lives, whatever the file says. */
export async function liveState(layout: Layout): Promise<StackState | undefined> {
  const state = readState(layout.stateFile);
  return state !== undefined && (await isAlive(state.supervisor)) ? state : undefined;
}
