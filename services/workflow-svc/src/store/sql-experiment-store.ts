/** The ExperimentStore on MySQL or MariaDB: writes through the commit queue, reads as plain statements. */
import {
  AiepError,
  type ExperimentId,
  type ListExperimentsQuery,
  type ListTemplatesQuery,
  type TemplateId,
} from "@aiep/contracts";
import {
  allOf,
  type CommitQueue,
  compare,
  DuplicateKeyError,
  decodeCursor,
  equal,
  OUTBOX_VERSION_KEY,
  oneOf,
  type PageQuery,
  pageOf,
  pageOfRows,
  rowsByPrefix,
  type Sql,
  type SqlPool,
  sql,
  startsWith,
  type VisibleGroups,
} from "@aiep/service-kit";
import type { Experiment, ExperimentChange, FrozenVersion } from "../domain/experiment.ts";
import { storeDefinition } from "./definitions.ts";
import {
  type ExperimentRow,
  eventStatement,
  experimentOf,
  experimentStatement,
  insertTemplate,
  insertVersion,
  type TemplateRow,
  templateOf,
  type VersionRow,
  versionOf,
} from "./experiment-rows.ts";
import type { ExperimentStore, Page, SaveOptions, Template } from "./experiment-store.ts";
import type { OutboxAddress } from "./outbox.ts";

export interface SqlExperimentStoreDeps {
  readonly pool: SqlPool;
  readonly commits: CommitQueue;
  readonly address: OutboxAddress;
}

export function createExperimentStore(deps: SqlExperimentStoreDeps): ExperimentStore {
  return new SqlExperimentStore(deps);
}

class SqlExperimentStore implements ExperimentStore {
  readonly #deps: SqlExperimentStoreDeps;

  constructor(deps: SqlExperimentStoreDeps) {
    this.#deps = deps;
  }

  async save(change: ExperimentChange, options: SaveOptions = {}): Promise<void> {
    const statements = [...this.statements(change, options), ...(options.also ?? [])];
    try {
      await this.#deps.commits.commit({ key: change.experiment.id, statements });
    } catch (error) {
      throw this.conflictOf(error);
    }
  }

  statements(change: ExperimentChange, options: SaveOptions = {}): readonly Sql[] {
    const { definition } = options;
    return [
      ...(definition === undefined ? [] : storeDefinition(definition).statements),
      experimentStatement(change),
      // Its unique version is what a writer meets that came too late, before any other key (X2).
      eventStatement(change, this.#deps.address, options),
      ...(change.event.name === "frozen" ? [insertVersion(change.event.frozen)] : []),
    ];
  }

  conflictOf(error: unknown): unknown {
    if (!DuplicateKeyError.is(error, OUTBOX_VERSION_KEY)) return error;
    return new AiepError("VERSION_CONFLICT", "The experiment was changed at the same moment.", {
      cause: error,
    });
  }

  async get(id: ExperimentId): Promise<Experiment | undefined> {
    const [row] = await this.#deps.pool.query<ExperimentRow>(
      "SELECT * FROM experiments WHERE id = ? AND deleted_at IS NULL",
      [id],
    );
    return row && experimentOf(row);
  }

  async findByPrefix(prefix: string, groups: VisibleGroups, limit: number) {
    const list = { table: "experiments", columns: "id, name", where: "deleted_at IS NULL" };
    return await rowsByPrefix<{ id: ExperimentId; name: string }>(
      this.#deps.pool,
      list,
      prefix,
      groups,
      limit,
    );
  }

  async list(query: ListExperimentsQuery, groups: VisibleGroups): Promise<Page<Experiment>> {
    const where = [
      sql("deleted_at IS NULL"),
      ...equal("created_by", query.created_by),
      ...startsWith("name", query.name_prefix),
    ];
    const list = { select: "SELECT * FROM experiments", where };
    const { items, nextCursor } = await pageOfRows<ExperimentRow>(this.#deps.pool, list, query, groups);
    return { items: items.map(experimentOf), nextCursor };
  }

  async version(id: ExperimentId, number: number): Promise<FrozenVersion | undefined> {
    const [row] = await this.#deps.pool.query<VersionRow>(
      "SELECT * FROM experiment_versions WHERE experiment_id = ? AND number = ?",
      [id, number],
    );
    return row && versionOf(row);
  }

  async versions(id: ExperimentId, query: PageQuery): Promise<Page<FrozenVersion>> {
    const where = allOf([...equal("experiment_id", id), ...compare("number <", decodeCursor(query))]);
    const rows = await this.#deps.pool.query<VersionRow & { readonly seq: number }>(
      `SELECT *, number AS seq FROM experiment_versions WHERE ${where.text} ORDER BY number DESC LIMIT ?`,
      [...where.values, query.limit + 1],
    );
    const { items, nextCursor } = pageOf(rows, query);
    return { items: items.map(versionOf), nextCursor };
  }

  async insertTemplate(template: Template): Promise<void> {
    await this.#deps.commits.commit({ key: template.id, statements: [insertTemplate(template)] });
  }

  async template(id: TemplateId): Promise<Template | undefined> {
    const [row] = await this.#deps.pool.query<TemplateRow>("SELECT * FROM workflow_templates WHERE id = ?", [
      id,
    ]);
    return row && templateOf(row);
  }

  async templates(query: ListTemplatesQuery, groups: VisibleGroups): Promise<Page<Template>> {
    const where = allOf([
      ...forAllOr(groups),
      ...equal("scope", query.scope),
      ...oneOf("group_id", query.group_id),
      ...compare("seq <", decodeCursor(query)),
    ]);
    const rows = await this.#deps.pool.query<TemplateRow>(
      `SELECT * FROM workflow_templates WHERE ${where.text} ORDER BY seq DESC LIMIT ?`,
      [...where.values, query.limit + 1],
    );
    const { items, nextCursor } = pageOf(rows, query);
    return { items: items.map(templateOf), nextCursor };
  }

  async deleteTemplate(id: TemplateId): Promise<void> {
    await this.#deps.pool.execute("DELETE FROM workflow_templates WHERE id = ?", [id]);
  }
}

/** A template for all is everybody's. */
function forAllOr(groups: VisibleGroups): Sql[] {
  if (groups === "all") return [];
  const [own] = oneOf("group_id", groups);
  return [own === undefined ? sql("scope = 'all'") : sql(`(scope = 'all' OR ${own.text})`, own.values)];
}
