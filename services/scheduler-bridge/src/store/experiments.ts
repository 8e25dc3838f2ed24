/** What events told of experiments: whose they are, what they are called, which versions are frozen. */
import {
  AiepError,
  type ExperimentId,
  experimentCreated,
  experimentDeleted,
  experimentUpdated,
  experimentVersionFrozen,
  type GroupId,
} from "@aiep/contracts";
import { type Principal, type Sql, type SqlExecutor, seesGroup, sql } from "@aiep/service-kit";

export interface KnownExperiment {
  readonly id: ExperimentId;
  readonly groupId: GroupId;
  readonly name: string;
  /** `v3`; null: none is frozen yet. */
  readonly newestVersion: string | null;
}

interface Row {
  readonly id: ExperimentId;
  readonly group_id: GroupId;
  readonly name: string;
  readonly newest: number | null;
}

export class Experiments {
  readonly #db: SqlExecutor;

  constructor(db: SqlExecutor) {
    this.#db = db;
  }

  /** Undefined when it is unknown or deleted. */
  async get(id: ExperimentId): Promise<KnownExperiment | undefined> {
    const [row] = await this.#db.query<Row>(
      `SELECT e.id, e.group_id, e.name, (SELECT MAX(v.number) FROM experiment_versions v WHERE v.experiment_id = e.id) AS newest
       FROM experiments e WHERE e.id = ? AND e.deleted = 0`,
      [id],
    );
    if (row === undefined) return undefined;
    const { group_id: groupId, newest, name } = row;
    return { id: row.id, groupId, name, newestVersion: newest === null ? null : `v${newest}` };
  }

  /** Known to have been there. */
  async wasDeleted(id: ExperimentId): Promise<boolean> {
    return (await this.#db.query("SELECT 1 FROM experiments WHERE id = ? AND deleted = 1", [id])).length > 0;
  }

  async hasVersion(id: ExperimentId, versionName: string): Promise<boolean> {
    const rows = await this.#db.query(
      "SELECT 1 FROM experiment_versions WHERE experiment_id = ? AND number = ?",
      [id, Number(versionName.slice(1))],
    );
    return rows.length > 0;
  }

  /** By whom it may be seen. Throws EXPERIMENT_NOT_FOUND. */
  async find(principal: Principal, id: ExperimentId): Promise<KnownExperiment> {
    const known = await this.get(id);
    if (known !== undefined && seesGroup(principal, known.groupId)) return known;
    throw new AiepError("EXPERIMENT_NOT_FOUND", `There is no experiment ${id} in your groups.`);
  }

  /** The version asked for, or the newest. Throws VERSION_NOT_FOUND; the draft is never one. */
  async frozenVersion(experiment: KnownExperiment, asked: string | null | undefined): Promise<string> {
    if (asked != null && (await this.hasVersion(experiment.id, asked))) return asked;
    if (asked != null)
      throw new AiepError("VERSION_NOT_FOUND", `${experiment.name} has no frozen version ${asked}.`);
    if (experiment.newestVersion !== null) return experiment.newestVersion;
    throw new AiepError(
      "VERSION_NOT_FOUND",
      `${experiment.name} has no frozen version yet; run it once, or freeze its draft: aiepctl workflow save-as ${experiment.id}.`,
    );
  }
}

/** The definitions that `experimentEffects` knows. */
export const EXPERIMENT_EVENTS = [
  experimentCreated,
  experimentUpdated,
  experimentDeleted,
  experimentVersionFrozen,
] as const;

interface Told {
  readonly experiment_id: ExperimentId;
  readonly group_id: GroupId;
  readonly name: string;
  readonly version_name?: string;
}

/** What an event of an experiment changes here; applied in the order of its versions (D6). */
export function experimentEffects(
  definition: (typeof EXPERIMENT_EVENTS)[number],
  data: Told,
): readonly Sql[] {
  const { experiment_id: id, group_id: group, name, version_name: version } = data;
  const deleted = definition === experimentDeleted;
  const row = sql(
    `INSERT INTO experiments (id, group_id, name, deleted) VALUES (?, ?, ?, ?)
     ON DUPLICATE KEY UPDATE group_id = VALUES(group_id), name = VALUES(name), deleted = VALUES(deleted)`,
    [id, group, name, deleted],
  );
  if (version === undefined) return [row];
  const number = Number(version.slice(1));
  return [
    row,
    sql("INSERT IGNORE INTO experiment_versions (experiment_id, number) VALUES (?, ?)", [id, number]),
  ];
}
