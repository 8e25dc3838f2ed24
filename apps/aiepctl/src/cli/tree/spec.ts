/** What the parts of the command tree are written with. */
import type { Command, CommandGroup, OptionSpec } from "../command.ts";

export const command = (spec: Omit<Command, "kind">): Command => ({ kind: "command", ...spec });
export const group = (spec: Omit<CommandGroup, "kind">): CommandGroup => ({ kind: "group", ...spec });

export const YES: OptionSpec = { name: "yes", short: "y", kind: "flag", help: "Do not ask." };
