/**
 * Starting a run, for HTTP and for commands alike (D8, D20).
 *
 * S1 One order, one run (I2): over HTTP the Idempotency-Key's row is committed with the run; a command's run has an id made
 *    from the command's, so that a second delivery finds the first one's run, even a deleted one. S2 A refusal writes nothing. S3 A changed draft is
 *    frozen in the run's own transaction. S4 Version, parameters and business date are frozen here; nothing later changes them.
 */
import {
  AiepError,
  DRAFT,
  type RunId,
  type RunOrigin,
  runId,
  runIdOfCommand,
  type StartRunBody,
  type WorkflowDefinition,
} from "@aiep/contracts";
import { type Principal, randomHex, requireMember, type Sql } from "@aiep/service-kit";
import {
  draftChanged,
  type Experiment,
  type ExperimentChange,
  freeze,
  versionNameOf,
} from "../domain/experiment.ts";
import { businessDate, type Json, parseDay, resolveParameters } from "../domain/values/index.ts";
import { digestOf } from "../store/definitions.ts";
import type { ChangeContext, JsonObject, NewRun, RunFacts, RunRecord } from "../store/run-store.ts";
import { findExperimentToChange, findRunToChange } from "./access.ts";
import type { OperationDeps } from "./deps.ts";
import { checkToRun } from "./read-definition.ts";
import { runGraph } from "./run-graph.ts";
import { definitionOf, frozenVersion, ownerOf } from "./versions.ts";

export interface StartOptions extends ChangeContext {
  /** Id of the command that asks for it (S1). */
  readonly commandId?: string | undefined;
  readonly origin?: RunOrigin | undefined;
  /** Of a child run: the id that follows from its parent's node, and its level below the first run. */
  readonly child?: { readonly id: RunId; readonly depth: number } | undefined;
  /** Statements of the same transaction, made from the run about to be written (S1). */
  readonly also?: (run: RunFacts) => readonly Sql[];
}

/** The part of a start request that says what of a version is run, and with what. */
export type RunOrder = StartRunBody;

const MAX_ATTEMPTS = 8;
/** All of a run together: they travel in its first event. */
const MAX_PARAMETER_BYTES = 64 * 1024;

export async function startRun(
  deps: OperationDeps,
  principal: Principal,
  experiment: string,
  order: RunOrder,
  options: StartOptions = {},
): Promise<RunFacts> {
  const id =
    options.child?.id ?? (options.commandId === undefined ? undefined : runIdOfCommand(options.commandId));
  const earlier = id === undefined ? undefined : await deps.runs.accepted(id);
  if (earlier !== undefined) return earlier;
  for (let attempt = 1; ; attempt += 1) {
    const found = await findExperimentToChange(deps, principal, experiment);
    const { version, definition } = await versionToRun(deps, principal, found, order.version_name);
    try {
      return await create(deps, principal, { experiment: found, version, definition, order, id }, options);
    } catch (error) {
      const other = id === undefined ? undefined : await deps.runs.accepted(id);
      if (other !== undefined) return other;
      const conflict = deps.experiments.conflictOf(error);
      if (!AiepError.is(conflict, "VERSION_CONFLICT") || attempt === MAX_ATTEMPTS) throw conflict;
    }
  }
}

/** Like an earlier run: its version, its parameters and its date where nothing else is said. */
export async function rerun(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  order: Pick<RunOrder, "mode" | "nodes" | "parameters" | "run_date">,
  options: StartOptions = {},
): Promise<RunFacts> {
  const { facts } = await findRunToChange(deps, principal, written);
  const parameters = { ...facts.parameters, ...order.parameters };
  return await startRun(
    deps,
    principal,
    facts.experimentId,
    {
      ...order,
      version_name: facts.versionName,
      base_run_id: facts.id,
      run_date: order.run_date ?? facts.runDate,
      parameters,
    },
    { ...options, origin: options.origin ?? { kind: "rerun", parent_run_id: facts.id } },
  );
}

interface VersionToRun {
  readonly name: string;
  /** S3. */
  readonly freezing: ExperimentChange | null;
}

async function versionToRun(
  deps: OperationDeps,
  principal: Principal,
  experiment: Experiment,
  asked: string | undefined,
): Promise<{ readonly version: VersionToRun; readonly definition: WorkflowDefinition }> {
  if (asked !== undefined && asked !== DRAFT) {
    const { digest } = await frozenVersion(deps, experiment, asked);
    return { version: { name: asked, freezing: null }, definition: await definitionOf(deps, digest) };
  }
  const author = { by: principal.user, at: deps.clock() };
  const freezing = draftChanged(experiment) ? freeze(experiment, "", author) : null;
  const { latest } = freezing?.experiment ?? experiment;
  return {
    version: { name: versionNameOf(latest?.number ?? 0), freezing },
    definition: await definitionOf(deps, experiment.draft.digest),
  };
}

interface Creation {
  readonly experiment: Experiment;
  readonly version: VersionToRun;
  readonly definition: WorkflowDefinition;
  readonly order: RunOrder;
  readonly id: RunId | undefined;
}

async function create(
  deps: OperationDeps,
  principal: Principal,
  { experiment, version, definition, order, id }: Creation,
  options: StartOptions,
): Promise<RunFacts> {
  requireMember(principal, experiment.groupId);
  const { commandId, origin, also, child, ...context } = options;
  const base = await baseOf(deps, principal, experiment, order);
  const choice = { mode: order.mode, selected: order.nodes, base };
  const graph = await runGraph(deps, definition, choice);
  const executed = new Set(
    graph.nodes.filter(({ carried }) => carried === null).map(({ definition: { id: node } }) => node),
  );
  await checkToRun(deps, definition, ownerOf(experiment), executed);
  const createdAt = deps.clock();
  const facts: RunFacts = {
    id: id ?? runId.parse(randomHex(16)),
    experimentId: experiment.id,
    experimentName: experiment.name,
    groupId: experiment.groupId,
    versionName: version.name,
    digest: digestOf(definition),
    mode: order.mode,
    selected: order.nodes,
    baseRunId: base?.facts.id ?? null,
    parameters: parametersOf(definition, order.parameters),
    runDate: dateOf(deps, definition, order.run_date, createdAt),
    origin: origin ?? { kind: "manual" },
    nodeCount: graph.nodes.length,
    createdBy: principal.user,
    createdAt,
    traceparent: context.traceparent ?? null,
    depth: child?.depth ?? 0,
  };
  const run: NewRun = { facts, definition, commandId };
  const freezing = version.freezing === null ? [] : deps.experiments.statements(version.freezing, context);
  await deps.control.create(run, { ...context, also: [...freezing, ...(also?.(facts) ?? [])] });
  return facts;
}

async function baseOf(
  deps: OperationDeps,
  principal: Principal,
  experiment: Experiment,
  { base_run_id: asked }: RunOrder,
): Promise<RunRecord | undefined> {
  if (asked === undefined) return undefined;
  const base = await findRunToChange(deps, principal, asked);
  if (base.facts.experimentId !== experiment.id)
    throw new AiepError(
      "RUN_REFUSED",
      `Run ${asked} belongs to another experiment, ${base.facts.experimentName}.`,
    );
  return base;
}

/** Declared, typed, with defaults; every problem at once. */
function parametersOf({ parameters }: WorkflowDefinition, given: Readonly<Record<string, Json>>): JsonObject {
  const resolved = resolveParameters(parameters, given);
  if (resolved.ok) {
    const bytes = Buffer.byteLength(JSON.stringify(resolved.value));
    if (bytes <= MAX_PARAMETER_BYTES) return resolved.value;
    throw new AiepError(
      "RUN_PARAMETERS_INVALID",
      `The parameters have ${bytes} bytes together; ${MAX_PARAMETER_BYTES} are possible. Pass a path instead of the data.`,
    );
  }
  const [first] = resolved.problems;
  throw new AiepError("RUN_PARAMETERS_INVALID", first?.detail ?? "The parameters do not fit.", {
    errors: resolved.problems.map(({ path, code, detail }) => ({
      pointer: ["", "parameters", ...path].join("/"),
      code,
      detail,
    })),
  });
}

/** S4: yesterday in the workflow's zone, unless it was said. */
function dateOf(
  { timeZone }: OperationDeps,
  { options }: WorkflowDefinition,
  asked: string | undefined,
  now: Date,
): string {
  if (asked === undefined) return businessDate(now, options.time_zone ?? timeZone);
  if (parseDay(asked) === undefined)
    throw new AiepError("RUN_PARAMETERS_INVALID", `run_date ${asked} is no day of the calendar.`, {
      errors: [{ pointer: "/run_date", code: "WRONG_TYPE", detail: `${asked} is no day of the calendar.` }],
    });
  return asked;
}
