/**
 * What the rest of workflow-svc sees of experiments, versions and templates in its database (D20).
 *
 * X1 A change, its definition, its frozen version and its event are one transaction (D5). X2 Two changes at the same moment:
 * one is kept, the other is VERSION_CONFLICT, nothing of it written.
 */
import type {
  ExperimentId,
  GroupId,
  ListExperimentsQuery,
  ListTemplatesQuery,
  TemplateId,
  WorkflowDefinition,
} from "@aiep/contracts";
import type { PageQuery, Sql, VisibleGroups } from "@aiep/service-kit";
import type { DefinitionRef, Experiment, ExperimentChange, FrozenVersion } from "../domain/experiment.ts";
import type { ChangeContext } from "./run-store.ts";

export interface Template extends DefinitionRef {
  readonly id: TemplateId;
  readonly scope: "group" | "all";
  readonly groupId: GroupId;
  readonly name: string;
  readonly description: string | null;
  readonly experimentId: ExperimentId;
  readonly versionNumber: number;
  readonly createdBy: string;
  readonly createdAt: Date;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

export interface SaveOptions extends ChangeContext {
  /** The draft's definition, when it may be new here. */
  readonly definition?: WorkflowDefinition | undefined;
  /** Statements of the same transaction. */
  readonly also?: readonly Sql[];
}

export interface ExperimentStore {
  save(change: ExperimentChange, options?: SaveOptions): Promise<void>;
  /** The same as statements, for whoever commits it with something else (a run of the version it freezes); `conflictOf` reads its failure. */
  statements(change: ExperimentChange, options?: SaveOptions): readonly Sql[];
  /** X2, when a unit with `statements` was rejected so; otherwise the error itself. */
  conflictOf(error: unknown): unknown;

  get(id: ExperimentId): Promise<Experiment | undefined>;
  findByPrefix(
    prefix: string,
    groups: VisibleGroups,
    limit: number,
  ): Promise<readonly { readonly id: ExperimentId; readonly name: string }[]>;
  list(query: ListExperimentsQuery, groups: VisibleGroups): Promise<Page<Experiment>>;
  version(id: ExperimentId, number: number): Promise<FrozenVersion | undefined>;
  versions(id: ExperimentId, query: PageQuery): Promise<Page<FrozenVersion>>;

  insertTemplate(template: Template): Promise<void>;
  template(id: TemplateId): Promise<Template | undefined>;
  templates(query: ListTemplatesQuery, groups: VisibleGroups): Promise<Page<Template>>;
  deleteTemplate(id: TemplateId): Promise<void>;
}
