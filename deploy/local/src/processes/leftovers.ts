import { readState } from "../home/state.ts";
import { endProcess } from "./identity.ts";

const GRACE_MS = 10_000;

/** Ends what a supervisor that died without stopping it has left, the last started first. Names what it ended. */
export async function endLeftovers(stateFile: string): Promise<string[]> {
  const ended: string[] = [];
  for (const { name, identity } of readState(stateFile)?.processes.toReversed() ?? [])
    if (identity !== undefined && (await endProcess(identity, GRACE_MS)) !== "was gone") ended.push(name);
  return ended;
}
