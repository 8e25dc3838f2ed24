/** Values of the service as the wire shows them (D33). */
import type {
  ComponentView,
  DraftView,
  ExperimentDetail,
  ExperimentView,
  RunAttemptView,
  RunNodeView,
  RunView,
  TemplateView,
  VersionDetail,
  VersionSummary,
} from "@aiep/contracts";
import * as z from "zod";
import type { NodeComponent } from "../components/component.ts";
import { draftChanged, type Experiment, type FrozenVersion, versionNameOf } from "../domain/experiment.ts";
import type { ExperimentWhole } from "../operations/experiments.ts";
import { problemView } from "../operations/problems.ts";
import type { NodeWhole } from "../operations/run-nodes.ts";
import type { VersionWhole } from "../operations/versions.ts";
import type { Template } from "../store/experiment-store.ts";
import type { RunFacts, RunRecord } from "../store/run-store.ts";

export function experimentView(experiment: Experiment): ExperimentView {
  const { draft, latest } = experiment;
  return {
    id: experiment.id,
    name: experiment.name,
    description: experiment.description,
    group_id: experiment.groupId,
    version: experiment.version,
    draft_version: draft.version,
    draft_changed: draftChanged(experiment),
    latest_version: latest === null ? null : versionNameOf(latest.number),
    node_count: draft.nodeCount,
    copied_from: experiment.copiedFrom,
    created_by: experiment.createdBy,
    created_at: experiment.createdAt.toISOString(),
    updated_by: experiment.updatedBy,
    updated_at: experiment.updatedAt.toISOString(),
  };
}

export function experimentDetail({ experiment, definition, problems }: ExperimentWhole): ExperimentDetail {
  return { ...experimentView(experiment), definition, problems: problems.map(problemView) };
}

export function draftView({ experiment, definition, problems }: ExperimentWhole): DraftView {
  const { draft } = experiment;
  return {
    experiment_id: experiment.id,
    version: draft.version,
    changed: draftChanged(experiment),
    definition,
    problems: problems.map(problemView),
    updated_by: draft.by,
    updated_at: draft.at.toISOString(),
  };
}

export function versionSummary(version: FrozenVersion): VersionSummary {
  return {
    experiment_id: version.experimentId,
    version_name: versionNameOf(version.number),
    description: version.description,
    node_count: version.nodeCount,
    digest: version.digest,
    created_by: version.createdBy,
    created_at: version.createdAt.toISOString(),
  };
}

export function versionDetail({ version, versionName, definition }: VersionWhole): VersionDetail {
  return { ...versionSummary(version), version_name: versionName, definition };
}

export function templateView(template: Template): TemplateView {
  return {
    id: template.id,
    name: template.name,
    description: template.description,
    scope: template.scope,
    group_id: template.groupId,
    node_count: template.nodeCount,
    experiment_id: template.experimentId,
    version_name: versionNameOf(template.versionNumber),
    created_by: template.createdBy,
    created_at: template.createdAt.toISOString(),
  };
}

export function componentView(component: NodeComponent): ComponentView {
  const { kind, title, summary, category, execution, form, outputs, example } = component;
  const { $schema: _, ...schema } = z.toJSONSchema(component.manifest, {
    io: "input",
    unrepresentable: "any",
    target: "draft-2020-12",
  });
  return {
    kind,
    title,
    summary,
    category,
    execution,
    manifest_schema: schema,
    form: {
      groups: form.groups.map((group) => ({ ...group })),
      fields: form.fields.map((field) => ({ ...field })),
    },
    script_fields: [...component.scriptFields],
    outputs: outputs === "any" ? null : [...(outputs ?? [])],
    example,
  };
}

/** A run that was just accepted. */
export function createdRunView(facts: RunFacts): RunView {
  const status = { version: 1, state: "Created", reason: null, message: null } as const;
  return runView({
    facts,
    status: { ...status, startedAt: null, finishedAt: null, deadlineAt: null, pausedAt: null },
    nodesByState: {},
  });
}

export function runView({ facts, status, nodesByState }: RunRecord): RunView {
  const written = Object.values(nodesByState).reduce((sum, count) => sum + count, 0);
  const waiting = facts.nodeCount - written;
  return {
    id: facts.id,
    experiment_id: facts.experimentId,
    experiment_name: facts.experimentName,
    group_id: facts.groupId,
    version_name: facts.versionName,
    mode: facts.mode,
    selected: [...facts.selected],
    state: status.state,
    reason: status.reason,
    message: status.message,
    version: status.version,
    parameters: { ...facts.parameters },
    run_date: facts.runDate,
    origin: facts.origin,
    base_run_id: facts.baseRunId,
    node_count: facts.nodeCount,
    // A node that was never written is Waiting.
    nodes_by_state:
      waiting > 0 && nodesByState.Waiting === undefined
        ? { ...nodesByState, Waiting: waiting }
        : nodesByState,
    created_by: facts.createdBy,
    created_at: facts.createdAt.toISOString(),
    started_at: status.startedAt?.toISOString() ?? null,
    finished_at: status.finishedAt?.toISOString() ?? null,
  };
}

export function nodeView(node: RunNodeView) {
  const { task_id: task, child_run_id: run } = node;
  return {
    ...node,
    links: {
      task: task === null ? null : `/v1/tasks/${task}`,
      logs: task === null ? null : `/v1/tasks/${task}/logs`,
      run: run === null ? null : `/v1/runs/${run}`,
    },
  };
}

export function nodeDetail({ node, attempts }: NodeWhole) {
  const over = attempts.map(({ view }) => attemptView(view));
  return { ...nodeView(node), attempts: node.attempt === 0 ? over : [...over, attemptView(node)] };
}

function attemptView(view: RunNodeView): RunAttemptView {
  return {
    attempt: view.attempt,
    state: view.state,
    reason: view.reason,
    message: view.message,
    failure: view.failure,
    task_id: view.task_id,
    child_run_id: view.child_run_id,
    started_at: view.started_at,
    finished_at: view.finished_at,
  };
}
