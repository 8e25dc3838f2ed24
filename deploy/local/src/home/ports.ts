import { freePort, portIsFree } from "@aiep/dev-servers";
import * as z from "zod";
import { DEFAULT_PORT } from "../config.ts";
import { holderOf } from "../processes/port-holder.ts";
import { readIfThere, writeAtomic } from "./files.ts";

/*
 * The stack's ports: one known HTTP port, all others random but kept, so that a restart disturbs no client. A kept
 * port that somebody else has taken meanwhile is replaced; the HTTP port never is, since people and files know it.
 */

const port = z.int().min(1).max(65_535);
const portsSchema = z.strictObject({
  http: port,
  nats: port,
  database: port,
  task_http: port,
  task_probe: port,
  log_http: port,
  log_probe: port,
  agent_probe: port,
  /** Not in stacks of earlier versions; chosen with the next start. */
  workflow_http: port.optional(),
  workflow_probe: port.optional(),
  scheduler_http: port.optional(),
  scheduler_probe: port.optional(),
  /** Pods fetch code and material there; not in stacks of earlier versions. */
  downloads: port.optional(),
});
export type Ports = z.infer<typeof portsSchema>;

export class HttpPortTakenError extends Error {
  override readonly name = "HttpPortTakenError";
}

export async function readPorts(file: string): Promise<Ports | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  const parsed = portsSchema.safeParse(tryJson(text));
  return parsed.success ? parsed.data : undefined;
}

/** Chooses, checks and keeps the ports; `wanted` is the HTTP port asked for this time. */
export async function preparePorts(file: string, wanted: number | undefined): Promise<Ports> {
  const kept = await readPorts(file);
  const http = wanted ?? kept?.http ?? DEFAULT_PORT;
  if (!(await portIsFree(http))) throw new HttpPortTakenError(await takenMessage(http));
  const used = new Set([http]);
  const choose = async (before: number | undefined): Promise<number> => {
    let candidate = before;
    while (candidate === undefined || used.has(candidate) || !(await portIsFree(candidate)))
      candidate = await freePort();
    used.add(candidate);
    return candidate;
  };
  const ports: Ports = {
    http,
    nats: await choose(kept?.nats),
    database: await choose(kept?.database),
    task_http: await choose(kept?.task_http),
    task_probe: await choose(kept?.task_probe),
    log_http: await choose(kept?.log_http),
    log_probe: await choose(kept?.log_probe),
    agent_probe: await choose(kept?.agent_probe),
    workflow_http: await choose(kept?.workflow_http),
    workflow_probe: await choose(kept?.workflow_probe),
    scheduler_http: await choose(kept?.scheduler_http),
    scheduler_probe: await choose(kept?.scheduler_probe),
    downloads: await choose(kept?.downloads),
  };
  await writeAtomic(file, `${JSON.stringify(ports, undefined, 2)}\n`);
  return ports;
}

/** Says who has the port and what to do. */
async function takenMessage(http: number): Promise<string> {
  const holder = await holderOf(http);
  const other = /(\S+)\/deploy\/local\/src\/proxy\/main\.ts/.exec(holder?.command ?? "")?.[1];
  const who =
    other !== undefined
      ? `the AIEP stack of ${other} (pid ${holder?.pid})`
      : holder !== undefined
        ? `pid ${holder.pid}: ${holder.command}`
        : "a process of another user";
  const stop =
    other === undefined ? "stop that process" : `stop that stack (in ${other}: npm run stack -- down)`;
  return [
    `port ${http} on 127.0.0.1 is taken by ${who}`,
    `  Either ${stop},`,
    `  or use another port: AIEP_PORT=${http + 1} npm run stack -- up   (it is kept for the next time)`,
  ].join("\n");
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
