/** Query parameters as what the reader understands, and their fingerprint for cursors. */
import { createHash } from "node:crypto";
import { AiepError, type NodeName } from "@aiep/contracts";
import { normaliseTime } from "../domain/cri.ts";
import type { TaskFacts } from "../domain/task-facts.ts";
import type { LogFilter } from "../reading/log-reader.ts";
import type { SourceRow } from "../store/log-index.ts";

interface FilterQuery {
  readonly node?: readonly NodeName[] | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly text?: string | undefined;
}

export function filterOf(query: FilterQuery): LogFilter {
  return {
    nodes: query.node === undefined ? undefined : new Set(query.node),
    since: query.since === undefined ? undefined : normaliseTime(query.since)?.timeKey,
    until: query.until === undefined ? undefined : normaliseTime(query.until)?.timeKey,
    text: query.text,
  };
}

/** A cursor made under one question is refused under another. */
export function fingerprint(task: TaskFacts, filter: LogFilter): string {
  const { nodes, since, until, text } = filter;
  const question = [task.taskId, nodes === undefined ? null : [...nodes].sort(), since, until, text];
  return createHash("sha256").update(JSON.stringify(question)).digest("hex").slice(0, 8);
}

export function requireKnownNodes(task: TaskFacts, filter: LogFilter, sources: readonly SourceRow[]): void {
  const known = new Set([...task.nodes.keys(), ...sources.map((source) => source.node)]);
  for (const node of filter.nodes ?? [])
    if (!known.has(node))
      throw new AiepError(
        "LOG_NODE_UNKNOWN",
        `The task has no node ${node}; it has ${[...known].join(", ")}.`,
      );
}
