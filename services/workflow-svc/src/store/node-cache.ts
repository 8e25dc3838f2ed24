/** Results of nodes that allow their reuse (`cache`), by what the node was to do. */
import { createHash } from "node:crypto";
import type { GroupId, RunId, WorkflowNode } from "@aiep/contracts";
import { type Sql, type SqlPool, sql } from "@aiep/service-kit";
import type { Outputs } from "../domain/engine/index.ts";
import { canonicalJson } from "./definitions.ts";
import type { JsonObject } from "./run-store.ts";

export interface CacheHit {
  readonly outputs: Outputs;
  readonly fromRunId: RunId;
}

/** Of a group: nobody gets another group's results. `reuse`: what the result depends on besides its kind. */
export function cacheDigest(group: GroupId, kind: WorkflowNode["kind"], reuse: JsonObject): string {
  return createHash("sha256")
    .update(canonicalJson([group, kind, reuse]))
    .digest("hex");
}

export async function readCache(pool: SqlPool, digest: string): Promise<CacheHit | null> {
  const [row] = await pool.query<{ run_id: RunId; outputs: string }>(
    "SELECT run_id, outputs FROM node_cache WHERE digest = ? AND expires_at > UTC_TIMESTAMP(3)",
    [digest],
  );
  return row === undefined ? null : { outputs: JSON.parse(row.outputs) as Outputs, fromRunId: row.run_id };
}

export function writeCache(digest: string, run: RunId, outputs: Outputs, ttlSeconds: number): Sql {
  return sql(
    `INSERT INTO node_cache (digest, run_id, outputs, expires_at) VALUES (?, ?, ?, UTC_TIMESTAMP(3) + INTERVAL ? SECOND)
     ON DUPLICATE KEY UPDATE run_id = VALUES(run_id), outputs = VALUES(outputs), expires_at = VALUES(expires_at)`,
    [digest, run, JSON.stringify(outputs), Math.ceil(ttlSeconds)],
  );
}

/** Removes what nobody may use any more. */
export async function purgeCache(pool: SqlPool): Promise<void> {
  await pool.execute("DELETE FROM node_cache WHERE expires_at < UTC_TIMESTAMP(3) LIMIT 1000");
}
