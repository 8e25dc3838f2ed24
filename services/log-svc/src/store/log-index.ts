/**
 * The index of stored logs in SQL: sources, segments, retention marks. The only code that knows these tables.
 *
 * S1 Segments of a source cover [0, next_position) without overlap: one transaction moves the position from what the
 *    writer believes it to be and adds the segments; a writer with a stale belief changes nothing (fencing).
 */
import type { GroupId, NodeName, TaskId } from "@aiep/contracts";
import { rowsOf, type SqlExecutor, type SqlPool, type SqlValue } from "@aiep/service-kit";
import type { GapReason } from "../domain/line-reader.ts";

export interface SourceKey {
  readonly source: string;
  readonly taskId: TaskId;
  readonly groupId: GroupId;
  readonly node: NodeName;
  readonly attempt: number;
}

export interface SourceRow extends SourceKey {
  readonly id: number;
  /** Bytes below are stored, or known to be missing. */
  readonly nextPosition: number;
  readonly lines: number;
  readonly firstTime: string | null;
  readonly lastTime: string | null;
  readonly complete: boolean;
}

interface SegmentFacts {
  readonly position: number;
  readonly length: number;
}
export interface ChunkRow extends SegmentFacts {
  readonly kind: "chunk";
  readonly lines: number;
  readonly firstTime: string | null;
  readonly lastTime: string | null;
  readonly objectKey: string;
  readonly storedBytes: number;
}
interface GapRow extends SegmentFacts {
  readonly kind: "gap";
  readonly reason: GapReason;
}
export type SegmentRow = ChunkRow | GapRow;

/**
 * Why a source's log is to go. `deleted`: its task is. `ended`: its task ended long ago. `silent`: its task never ended,
 * and nothing came for as long.
 */
export type RemovalReason = "deleted" | "ended" | "silent";

/** What one flush adds to one source. */
export interface SourceAppend {
  readonly sourceId: number;
  readonly from: number;
  readonly to: number;
  readonly complete: boolean;
  readonly segments: readonly SegmentRow[];
}

interface SourceRecord {
  id: number;
  source: string;
  task_id: TaskId;
  group_id: GroupId;
  node: NodeName;
  attempt: number;
  next_position: number;
  line_count: number;
  first_time: string | null;
  last_time: string | null;
  complete: number;
}

interface SegmentRecord {
  position: number;
  length: number;
  line_count: number;
  first_time: string | null;
  last_time: string | null;
  object_key: string | null;
  stored_bytes: number;
  gap: GapReason | null;
}

export class LogIndex {
  readonly #pool: SqlPool;

  constructor(pool: SqlPool) {
    this.#pool = pool;
  }

  /** The source's row, made when this is the first time it is seen. */
  async openSource(key: SourceKey): Promise<SourceRow> {
    await this.#pool.execute(
      `INSERT IGNORE INTO log_sources (source, task_id, group_id, node, attempt, changed_at)
       VALUES (?, ?, ?, ?, ?, UTC_TIMESTAMP(3))`,
      [key.source, key.taskId, key.groupId, key.node, key.attempt],
    );
    const rows = await this.#pool.query<SourceRecord>(
      "SELECT * FROM log_sources WHERE task_id = ? AND source = ?",
      [key.taskId, key.source],
    );
    const row = rows[0];
    if (row === undefined) throw new Error(`source ${key.source} vanished while it was opened`);
    return toSource(row);
  }

  /** In the order of their nodes, and of the attempts of a node. */
  async sourcesOf(taskId: TaskId): Promise<SourceRow[]> {
    const rows = await this.#pool.query<SourceRecord>(
      "SELECT * FROM log_sources WHERE task_id = ? ORDER BY node, attempt, id",
      [taskId],
    );
    return rows.map(toSource);
  }

  /** Segments that end after `position`, in order. */
  async segments(sourceId: number, position: number, limit: number): Promise<SegmentRow[]> {
    const rows = await this.#pool.query<SegmentRecord>(
      // The first one may begin before `position`: segments do not overlap, so it is the last that begins there.
      `(SELECT * FROM log_segments WHERE source_id = ? AND position <= ? ORDER BY position DESC LIMIT 1)
       UNION ALL
       (SELECT * FROM log_segments WHERE source_id = ? AND position > ? ORDER BY position LIMIT ?)
       ORDER BY position`,
      [sourceId, position, sourceId, position, limit],
    );
    return rows.map(toSegment).filter((segment) => segment.position + segment.length > position);
  }

  /** Segments that begin before `position`, the last one first. */
  async segmentsBackwards(sourceId: number, position: number, limit: number): Promise<SegmentRow[]> {
    const rows = await this.#pool.query<SegmentRecord>(
      "SELECT * FROM log_segments WHERE source_id = ? AND position < ? ORDER BY position DESC LIMIT ?",
      [sourceId, position, limit],
    );
    return rows.map(toSegment);
  }

  /** One transaction for all; returns the sources whose belief was stale and which therefore changed nothing (S1). */
  async append(appends: readonly SourceAppend[]): Promise<ReadonlySet<number>> {
    return await this.#pool.transaction(async (tx) => {
      const stale = new Set<number>();
      const segments: SqlValue[][] = [];
      // Always in the order of ids, so that two writers cannot lock each other out.
      for (const append of [...appends].sort((a, b) => a.sourceId - b.sourceId)) {
        if (await movePosition(tx, append)) segments.push(...append.segments.map((s) => values(append, s)));
        else stale.add(append.sourceId);
      }
      if (segments.length > 0) await insertSegments(tx, segments);
      return stale;
    });
  }

  /** Sources whose logs are to go. A source of a task that nobody ever told of is silent, too. */
  async dueForRemoval(before: Date, limit: number): Promise<(SourceRow & { why: RemovalReason })[]> {
    const rows = await this.#pool.query<SourceRecord & { why: RemovalReason }>(
      `(SELECT s.*, 'deleted' AS why FROM tasks t JOIN log_sources s ON s.task_id = t.task_id
         WHERE t.deleted = TRUE LIMIT ?)
       UNION ALL
       (SELECT s.*, 'ended' AS why FROM tasks t JOIN log_sources s ON s.task_id = t.task_id
         WHERE t.expired = FALSE AND t.deleted = FALSE AND t.finished_at < ? LIMIT ?)
       UNION ALL
       (SELECT s.*, 'silent' AS why FROM log_sources s LEFT JOIN tasks t ON t.task_id = s.task_id
         WHERE s.changed_at < ? AND (t.task_id IS NULL OR (t.deleted = FALSE AND t.finished_at IS NULL)) LIMIT ?)`,
      [limit, before, limit, before, limit],
    );
    return rows.map((row) => ({ ...toSource(row), why: row.why }));
  }

  /** First step of removal: readers see the gap from here on, and nobody opens the objects any more. */
  async markExpired(source: Pick<SourceRow, "id" | "nextPosition">): Promise<void> {
    await this.#pool.transaction(async (tx) => {
      await tx.execute("DELETE FROM log_segments WHERE source_id = ? AND position < ?", [
        source.id,
        source.nextPosition,
      ]);
      if (source.nextPosition > 0)
        await tx.execute(
          "INSERT INTO log_segments (source_id, position, length, line_count, gap) VALUES (?, 0, ?, 0, 'expired')",
          [source.id, source.nextPosition],
        );
    });
  }

  async forgetSource(sourceId: number): Promise<void> {
    await this.#pool.transaction(async (tx) => {
      await tx.execute("DELETE FROM log_segments WHERE source_id = ?", [sourceId]);
      await tx.execute("DELETE FROM log_sources WHERE id = ?", [sourceId]);
    });
  }

  /** Last step of removal from a silent source: looked at again when it was silent for as long again. */
  async sourceExpired(sourceId: number): Promise<void> {
    await this.#pool.execute("UPDATE log_sources SET changed_at = UTC_TIMESTAMP(3) WHERE id = ?", [sourceId]);
  }

  /** Last step of removal from an ended task: its objects are gone. */
  async taskExpired(taskId: TaskId): Promise<void> {
    await this.#pool.execute("UPDATE tasks SET expired = TRUE WHERE task_id = ?", [taskId]);
  }
}

async function movePosition(tx: SqlExecutor, append: SourceAppend): Promise<boolean> {
  const chunks = append.segments.filter((segment) => segment.kind === "chunk");
  const lines = chunks.reduce((sum, chunk) => sum + chunk.lines, 0);
  const firstTime = chunks.find((chunk) => chunk.firstTime !== null)?.firstTime ?? null;
  const lastTime = chunks.findLast((chunk) => chunk.lastTime !== null)?.lastTime ?? null;
  const { affectedRows } = await tx.execute(
    `UPDATE log_sources SET next_position = ?, line_count = line_count + ?, complete = complete OR ?,
       first_time = COALESCE(first_time, ?), last_time = COALESCE(?, last_time), changed_at = UTC_TIMESTAMP(3)
     WHERE id = ? AND next_position = ?`,
    [append.to, lines, append.complete, firstTime, lastTime, append.sourceId, append.from],
  );
  return affectedRows === 1;
}

async function insertSegments(tx: SqlExecutor, segments: readonly (readonly SqlValue[])[]): Promise<void> {
  await tx.execute(
    `INSERT INTO log_segments
       (source_id, position, length, line_count, first_time, last_time, object_key, stored_bytes, gap)
     VALUES ${rowsOf(segments.length, 9)}`,
    segments.flat(),
  );
}

function values(append: SourceAppend, segment: SegmentRow): SqlValue[] {
  const place: SqlValue[] = [append.sourceId, segment.position, segment.length];
  switch (segment.kind) {
    case "gap":
      return [...place, 0, null, null, null, 0, segment.reason];
    case "chunk":
      return [
        ...place,
        segment.lines,
        segment.firstTime,
        segment.lastTime,
        segment.objectKey,
        segment.storedBytes,
        null,
      ];
  }
}

const toSource = (row: SourceRecord): SourceRow => ({
  id: row.id,
  source: row.source,
  taskId: row.task_id,
  groupId: row.group_id,
  node: row.node,
  attempt: row.attempt,
  nextPosition: row.next_position,
  lines: row.line_count,
  firstTime: row.first_time,
  lastTime: row.last_time,
  complete: row.complete !== 0,
});

function toSegment(row: SegmentRecord): SegmentRow {
  const { position, length } = row;
  if (row.object_key === null) return { kind: "gap", position, length, reason: row.gap ?? "lost" };
  return {
    kind: "chunk",
    position,
    length,
    lines: row.line_count,
    firstTime: row.first_time,
    lastTime: row.last_time,
    objectKey: row.object_key,
    storedBytes: row.stored_bytes,
  };
}
