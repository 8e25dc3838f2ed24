import { readFile } from "node:fs/promises";
import type { ProcessReport, StackState } from "../home/state.ts";
import { age, table } from "../terminal.ts";
import { type CommandContext, liveState } from "./context.ts";

/** What runs, where, since when. Returns the exit code: 0 when everything is ready, 3 when the stack is not up. */
export async function status(context: CommandContext, format: "table" | "json"): Promise<number> {
  const { layout, terminal } = context;
  const state = await liveState(layout);
  if (format === "json") {
    terminal.print(JSON.stringify(state ?? { phase: "stopped", processes: [] }, undefined, 2));
  } else if (state === undefined) {
    terminal.print("the stack is not up; start it with: npm run stack -- up");
  } else {
    terminal.print(
      `${headline(state)} at ${state.url}, up ${age(Date.now() - Date.parse(state.started_at))}, data in ${layout.home}`,
    );
    const rows = await Promise.all(state.processes.map(row));
    for (const line of table([["NAME", "STATE", "ADDRESS", "PID", "MEMORY", "AGE", "RESTARTS"], ...rows]))
      terminal.print(line);
    for (const { name, last_end: end, state: now } of state.processes)
      if (now === "stopped")
        terminal.print(`${name} is stopped; npm run stack -- start ${name}  brings it back`);
      else if (end !== undefined && now !== "ready") terminal.print(`${name}: ${end}`);
  }
  return exitCode(state);
}

/** A stack is only as ready as all of its processes. */
function headline({ phase, processes }: StackState): string {
  const waiting = processes.filter((process) => process.state !== "ready").map(({ name }) => name);
  return phase === "ready" && waiting.length > 0 ? `not ready (${waiting.join(", ")})` : phase;
}

function exitCode(state: StackState | undefined): number {
  if (state === undefined) return 3;
  return state.phase === "ready" && state.processes.every((process) => process.state === "ready") ? 0 : 1;
}

async function row({
  name,
  state,
  address,
  identity,
  started_at: since,
  restarts,
}: ProcessReport): Promise<string[]> {
  const running = state === "ready" && identity !== undefined;
  return [
    name,
    state,
    address ?? "",
    running ? String(identity.pid) : "-",
    running ? await memory(identity.pid) : "-",
    running && since !== undefined ? age(Date.now() - Date.parse(since)) : "-",
    String(restarts),
  ];
}

async function memory(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kib = /^VmRSS:\s+(\d+)/m.exec(text)?.[1];
  return kib === undefined ? "-" : `${Math.round(Number(kib) / 1024)} MB`;
}
