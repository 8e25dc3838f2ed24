/**
 * An experiment as it changes (D20): one draft under edit, and frozen versions v1, v2, … that never change.
 *
 * E1 Every change is one version of the aggregate and one event (D6). E2 A version is numbered by the one before it. E3 The
 * draft has a version of its own, which its editors must name (If-Match): freezing or renaming disturbs no open canvas.
 */
import type { ExperimentId, GroupId } from "@aiep/contracts";

/** A definition as it is referred to: its content's digest. */
export interface DefinitionRef {
  readonly digest: string;
  readonly nodeCount: number;
}

export interface Experiment {
  readonly id: ExperimentId;
  readonly groupId: GroupId;
  readonly name: string;
  readonly description: string | null;
  /** Of its last event. */
  readonly version: number;
  readonly draft: DefinitionRef & { readonly version: number; readonly by: string; readonly at: Date };
  readonly latest: { readonly number: number; readonly digest: string } | null;
  readonly copiedFrom: string | null;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedBy: string;
  readonly updatedAt: Date;
}

export interface FrozenVersion extends DefinitionRef {
  readonly experimentId: ExperimentId;
  readonly number: number;
  readonly description: string;
  readonly createdBy: string;
  readonly createdAt: Date;
}

export type ExperimentEvent =
  | { readonly name: "created" | "updated" | "deleted" }
  | { readonly name: "frozen"; readonly frozen: FrozenVersion };

export interface ExperimentChange {
  readonly experiment: Experiment;
  readonly event: ExperimentEvent;
  readonly by: string;
  readonly at: Date;
}

export interface Author {
  readonly by: string;
  readonly at: Date;
}

export const versionNameOf = (number: number): string => `v${number}`;
export const numberOf = (versionName: string): number => Number(versionName.slice(1));

export function draftChanged({ draft, latest }: Experiment): boolean {
  return latest === null || latest.digest !== draft.digest;
}

export function createExperiment(
  given: Pick<Experiment, "id" | "groupId" | "name" | "description" | "copiedFrom">,
  draft: DefinitionRef,
  { by, at }: Author,
): ExperimentChange {
  const experiment: Experiment = {
    ...given,
    version: 1,
    draft: { ...draft, version: 1, by, at },
    latest: null,
    createdBy: by,
    createdAt: at,
    updatedBy: by,
    updatedAt: at,
  };
  return { experiment, event: { name: "created" }, by, at };
}

export function describeExperiment(
  experiment: Experiment,
  given: { readonly name?: string | undefined; readonly description?: string | null | undefined },
  author: Author,
): ExperimentChange | null {
  const name = given.name ?? experiment.name;
  const description = given.description === undefined ? experiment.description : given.description;
  if (name === experiment.name && description === experiment.description) return null;
  return changed(experiment, { name, description }, { name: "updated" }, author);
}

export function replaceDraft(
  experiment: Experiment,
  draft: DefinitionRef,
  author: Author,
): ExperimentChange | null {
  if (draft.digest === experiment.draft.digest) return null;
  const next = { ...draft, version: experiment.draft.version + 1, ...author };
  return changed(experiment, { draft: next }, { name: "updated" }, author);
}

/** Null: the newest version is the draft already. */
export function freeze(experiment: Experiment, description: string, author: Author): ExperimentChange | null {
  if (!draftChanged(experiment)) return null;
  const { digest, nodeCount } = experiment.draft;
  const number = (experiment.latest?.number ?? 0) + 1;
  const frozen: FrozenVersion = {
    experimentId: experiment.id,
    number,
    description,
    digest,
    nodeCount,
    createdBy: author.by,
    createdAt: author.at,
  };
  return changed(experiment, { latest: { number, digest } }, { name: "frozen", frozen }, author);
}

export function deleteExperiment(experiment: Experiment, author: Author): ExperimentChange {
  return changed(experiment, {}, { name: "deleted" }, author);
}

function changed(
  experiment: Experiment,
  change: Partial<Experiment>,
  event: ExperimentEvent,
  { by, at }: Author,
): ExperimentChange {
  const next = { ...experiment, ...change, version: experiment.version + 1, updatedBy: by, updatedAt: at };
  return { experiment: next, event, by, at };
}
