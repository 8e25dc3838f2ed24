/**
 * The same shapes on other engines, in the same run. They are programs of a folder with dependencies of its own (bench/peers),
 * installed here and now: nobody else who takes this repository pays for them. A peer that cannot be had is said to be missing.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import * as z from "zod";

const exec = promisify(execFile);
const FOLDER = join(import.meta.dirname, "../../peers");
const ROOT = join(import.meta.dirname, "../../..");
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Seconds. */
const peerTimes = z.object({ chain: z.number(), calls: z.number().optional(), fanOut: z.number() });
export type PeerTimes = z.infer<typeof peerTimes>;

interface Peer {
  readonly name: string;
  readonly program: string;
  readonly debian?: string;
}

const PEERS: readonly Peer[] = [
  { name: "Restate", program: "restate.mjs" },
  { name: "BullMQ", program: "bullmq.mjs", debian: "redis-server" },
];

export interface Shapes {
  readonly chain: number;
  readonly width: number;
}

export async function measurePeers(shapes: Shapes): Promise<ReadonlyMap<string, PeerTimes>> {
  const times = new Map<string, PeerTimes>();
  for (const peer of PEERS) {
    try {
      times.set(peer.name, await measure(peer, shapes));
    } catch (error) {
      console.error(`peer ${peer.name}: SKIPPED,`, error instanceof Error ? error.message : error);
    }
  }
  return times;
}

async function measure({ program, debian }: Peer, shapes: Shapes): Promise<PeerTimes> {
  if (!existsSync(join(FOLDER, "node_modules")))
    await exec("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: FOLDER });
  if (debian !== undefined)
    await exec(process.execPath, ["scripts/with-node24.mjs", "scripts/apt-install.ts", debian], {
      cwd: ROOT,
    });
  const { stdout } = await exec(process.execPath, [join(FOLDER, program), JSON.stringify(shapes)], {
    cwd: FOLDER,
    env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:${SYSTEM_PATH}`, RESTATE_LOGGING: "ERROR" },
    timeout: 300_000,
  });
  return peerTimes.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
}
