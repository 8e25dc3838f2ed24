/** Definitions once per content (R4): named by the SHA-256 of their canonical JSON, kept deflated. */
import { createHash } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import type { WorkflowDefinition } from "@aiep/contracts";
import { type Sql, sql } from "@aiep/service-kit";
import type { StoreDefinition } from "./run-store.ts";

/** Members in alphabetical order: what reads the same has one digest. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

export function digestOf(definition: WorkflowDefinition): string {
  return createHash("sha256").update(canonicalJson(definition)).digest("hex");
}

/** Kept as it was written: the order of members is an author's, too. */
export const storeDefinition: StoreDefinition = (definition) => {
  const digest = digestOf(definition);
  return { digest, statements: [insertDefinition(digest, JSON.stringify(definition))] };
};

function insertDefinition(digest: string, text: string): Sql {
  return sql(
    // One that is there already is needed again, which keeps it from who removes what nobody needs (unused-definitions.ts).
    `INSERT INTO definitions (digest, body, bytes, created_at) VALUES (?, ?, ?, UTC_TIMESTAMP(3))
     ON DUPLICATE KEY UPDATE created_at = IF(created_at < UTC_TIMESTAMP(3) - INTERVAL 1 DAY, UTC_TIMESTAMP(3), created_at)`,
    [digest, deflateRawSync(text), Buffer.byteLength(text)],
  );
}
