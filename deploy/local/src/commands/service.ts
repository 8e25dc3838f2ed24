import { waitFor } from "@aiep/dev-servers";
import { UsageError } from "../config.ts";
import { PAUSE_SIGNAL, readPaused, writePaused } from "../home/paused.ts";
import { readPorts } from "../home/ports.ts";
import { LOCAL_RUNTIME, readRuntime } from "../home/runtime.ts";
import { readSchedulers } from "../home/schedulers.ts";
import { readState } from "../home/state.ts";
import { signalProcess } from "../processes/identity.ts";
import { environmentOf, SERVICES, type ServiceProgram } from "../supervisor/services.ts";
import { type CommandContext, liveState } from "./context.ts";

/** Commands for one service: put your own process in its place. */

export async function environment(
  { config, layout, terminal }: CommandContext,
  names: readonly string[],
): Promise<void> {
  const ports = await readPorts(layout.portsFile);
  if (ports === undefined) throw new UsageError("start the stack once first: npm run stack -- up");
  const runtime = (await readRuntime(layout)) ?? LOCAL_RUNTIME;
  const programs = { config, layout, ports, runtime, schedulers: await readSchedulers(layout) };
  for (const name of known(names))
    for (const [variable, value] of Object.entries(environmentOf(name, programs)))
      terminal.print(`${variable}='${value.replaceAll("'", `'\\''`)}'`);
}

export async function pause(
  { layout, terminal }: CommandContext,
  what: "stop" | "start",
  names: readonly string[],
): Promise<void> {
  const state = await liveState(layout);
  if (state?.phase !== "ready")
    throw new UsageError("the stack is not up; start it with: npm run stack -- up");
  const chosen = known(names);
  const others = (await readPaused(layout.pausedFile)).filter(
    (name) => !chosen.some((each) => each === name),
  );
  await writePaused(layout.pausedFile, what === "stop" ? [...others, ...chosen] : others);
  await signalProcess(state.supervisor, PAUSE_SIGNAL);
  const wanted = what === "stop" ? "stopped" : "ready";
  await waitFor(
    `${chosen.join(", ")} ${wanted}`,
    () =>
      chosen.every((name) =>
        readState(layout.stateFile)?.processes.some((each) => each.name === name && each.state === wanted),
      ),
    { timeoutMs: 60_000 },
  );
  terminal.say(`${chosen.join(", ")}: ${wanted}`);
}

function known(names: readonly string[]): ServiceProgram[] {
  const chosen = SERVICES.filter((name) => names.includes(name));
  if (chosen.length === 0 || chosen.length < names.length)
    throw new UsageError(`name one of ${SERVICES.join(", ")}`);
  return chosen;
}
