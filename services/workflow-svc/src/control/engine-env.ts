/**
 * What the engine's core asks of one run: conditions and lists by CEL, manifests with their values in place, the component
 * of a node. Pure apart from its dice.
 */
import { MAX_OUTPUT_BYTES, type SubmitTaskBody, type TaskIo, type WorkflowDefinition } from "@aiep/contracts";
import type {
  ApprovalRequest,
  ChildRunRequest,
  InProcessComponent,
  ManifestObject,
  NodeComponent,
  NodeContext,
  PolledComponent,
  Prepared,
} from "../components/component.ts";
import type { ComponentRegistry } from "../components/registry.ts";
import type {
  ApprovalTerms,
  EngineEnv,
  Evaluated,
  GraphNode,
  Ms,
  NodeRecord,
  NodeTraits,
  Scope,
} from "../domain/engine/model.ts";
import {
  compileExpression,
  type Evaluation,
  type Expression,
  hourOf,
  type Json,
  type RunScope,
  resolveManifest,
  resolveText,
  type ScriptFields,
  scriptFields,
  type Scope as ValueScope,
} from "../domain/values/index.ts";
import type { RunFacts } from "../store/run-store.ts";
import { executionKey } from "./execution-key.ts";
import { taskIoOf } from "./task-io.ts";

/** What an executor gets with `start`, everything pure already done. */
export type StartInput = {
  readonly context: NodeContext;
  /** With `cache`: what a result that may be used again depends on. */
  readonly reuse?: ManifestObject;
} & (
  | { readonly execution: "task"; readonly body: SubmitTaskBody }
  | { readonly execution: "in-process"; readonly component: InProcessComponent }
  | { readonly execution: "polled"; readonly component: PolledComponent }
  | { readonly execution: "timer"; readonly at: Date }
  | { readonly execution: "approval"; readonly request: ApprovalRequest }
  | { readonly execution: "child-run"; readonly request: ChildRunRequest }
);

export interface RunEnvDeps {
  readonly registry: ComponentRegistry;
  /** Where a workflow reckons that names no zone. */
  readonly timeZone: string;
  /** Default Math.random. */
  readonly dice?: () => number;
}

export interface RunEnv extends EngineEnv<StartInput> {
  /** An output of the workflow, over its nodes and parameters. */
  output(text: string, scope: Scope): Evaluation;
}

export function createRunEnv(
  facts: RunFacts,
  { options }: WorkflowDefinition,
  { registry, timeZone: defaultZone, dice = Math.random }: RunEnvDeps,
): RunEnv {
  const timeZone = options.time_zone ?? defaultZone;
  const run: RunScope = {
    id: facts.id,
    date: facts.runDate,
    hour: hourOf(facts.createdAt, timeZone),
    dialect: options.time_dialect,
    experimentId: facts.experimentId,
    experimentName: facts.experimentName,
    versionName: facts.versionName,
  };
  const runContext: NodeContext["run"] = {
    id: facts.id,
    experimentId: facts.experimentId,
    experimentName: facts.experimentName,
    versionName: facts.versionName,
    groupId: facts.groupId,
    createdBy: facts.createdBy,
    runDate: facts.runDate,
    timeZone,
    proxyUser: options.proxy_user,
    depth: facts.depth,
  };
  const expressions = new Map<string, Expression | { readonly detail: string }>();
  const fields = new Map<string, ScriptFields>();

  const scopeOf = (node: GraphNode | null, scope: Scope): ValueScope => ({
    ...scope,
    parameters: facts.parameters,
    run,
    ...(node === null ? {} : { self: { id: node.definition.id, name: node.definition.name } }),
  });
  const evaluate = (text: string, node: GraphNode | null, scope: Scope): Evaluation => {
    let expression = expressions.get(text);
    if (expression === undefined) {
      const compiled = compileExpression(text);
      expression = compiled.ok ? compiled.expression : { detail: compiled.detail };
      expressions.set(text, expression);
    }
    return "evaluate" in expression
      ? expression.evaluate(scopeOf(node, scope))
      : { ok: false, detail: expression.detail };
  };
  const fieldsOf = ({ kind, scriptFields: paths }: NodeComponent): ScriptFields => {
    const known = fields.get(kind) ?? scriptFields(paths);
    fields.set(kind, known);
    return known;
  };
  const manifestOf = (component: NodeComponent, node: GraphNode, scope: Scope): Evaluated<ManifestObject> => {
    const { manifest } = node.definition;
    if (Object.keys(manifest).length === 0) return { ok: true, value: manifest };
    const resolved = resolveManifest(manifest, scopeOf(node, scope), fieldsOf(component));
    if (resolved.ok) return resolved;
    const told = resolved.problems.slice(0, 5).map(({ path, detail }) => `${path.join(".")}: ${detail}`);
    return failed("ValueUnresolved", `The node's settings cannot be filled in: ${told.join(" ")}`);
  };

  return {
    condition: (node, scope) => {
      const result = evaluate(node.definition.condition ?? "true", node, scope);
      if (!result.ok)
        return failed("ConditionInvalid", `The condition cannot be evaluated: ${result.detail}.`);
      if (typeof result.value === "boolean") return { ok: true, value: result.value };
      return failed("ConditionInvalid", "The condition is neither true nor false; compare with something.");
    },
    items: (node, scope) => {
      const items = node.definition.for_each?.items ?? [];
      if (typeof items !== "string") return checkedItems(items);
      const result = evaluate(items, node, scope);
      if (!result.ok) return failed("ItemsInvalid", `The list cannot be evaluated: ${result.detail}.`);
      if (Array.isArray(result.value)) return checkedItems(result.value);
      return failed("ItemsInvalid", "for_each.items is not a list.");
    },
    prepare: (record, attempt, scope, now) => {
      const { node } = record;
      const component = registry.get(node.definition.kind);
      if (component === undefined) {
        return failed("KindUnknown", `Nodes of the kind ${node.definition.kind} cannot be run here.`);
      }
      const manifest = manifestOf(component, node, scope);
      if (!manifest.ok) return manifest;
      const context: NodeContext = {
        run: runContext,
        node: {
          id: node.definition.id,
          key: record.key,
          name: node.definition.name,
          description: node.definition.description,
          attempt,
        },
        manifest: manifest.value,
        executionKey: executionKey(facts.id, record.key, attempt),
        attemptStartedAt: beganAt(record, component, now),
      };
      const input = inputOf(component, context);
      if (input.kind === "failed") return failed(input.reason, input.message);
      const directories = taskIoOf(node.definition, scope);
      if (!directories.ok) return directories;
      const reuse = reuseOf(node, manifest.value, directories.value, scopeOf(node, scope));
      if (!reuse.ok) return reuse;
      const value = { ...withIo(input.value, directories.value), ...reuse.value };
      return value.execution === "approval"
        ? { ok: true, value: { input: value, approval: termsOf(value.request, now) } }
        : { ok: true, value: { input: value } };
    },
    dice,
    output: (text, scope) => evaluate(text, null, scope),
  };
}

/** An item travels in the events of its child. */
function checkedItems(items: readonly Json[]): Evaluated<readonly Json[]> {
  const large = items.findIndex((item) => Buffer.byteLength(JSON.stringify(item)) > MAX_OUTPUT_BYTES);
  if (large < 0) return { ok: true, value: items };
  return failed("ItemsInvalid", `Item ${large} of for_each is larger than ${MAX_OUTPUT_BYTES / 1024} KiB.`);
}

function inputOf(component: NodeComponent, context: NodeContext): Prepared<StartInput> {
  switch (component.execution) {
    case "in-process":
      return { kind: "ready", value: { execution: "in-process", component, context } };
    case "polled":
      return { kind: "ready", value: { execution: "polled", component, context } };
    case "task":
      return mapReady(component.toTask(context), (body) => ({ execution: "task", body, context }));
    case "timer":
      return mapReady(component.toTimer(context), (at) => ({ execution: "timer", at, context }));
    case "approval":
      return mapReady(component.toApproval(context), (request) => ({
        execution: "approval",
        request,
        context,
      }));
    case "child-run":
      return mapReady(component.toChildRun(context), (request) => ({
        execution: "child-run",
        request,
        context,
      }));
    default: {
      const never: never = component;
      throw new TypeError(`unknown execution of ${String(never)}`);
    }
  }
}

/** A key of the author's own stands for everything they say it does; else it is all that the node is given. */
function reuseOf(
  { definition: { cache } }: GraphNode,
  manifest: ManifestObject,
  io: TaskIo | undefined,
  scope: ValueScope,
): Evaluated<Pick<StartInput, "reuse">> {
  if (cache === undefined) return { ok: true, value: {} };
  if (cache.key === undefined)
    return { ok: true, value: { reuse: { manifest, given: io?.input_directories ?? [] } } };
  const key = resolveText(cache.key, scope);
  if (key.ok) return { ok: true, value: { reuse: { key: key.value } } };
  const told = key.problems.map(({ detail }) => detail);
  return failed("ValueUnresolved", `The node's cache key cannot be filled in: ${told.join(" ")}`);
}

function withIo(input: StartInput, io: TaskIo | undefined): StartInput {
  return input.execution === "task" && io !== undefined ? { ...input, body: { ...input.body, io } } : input;
}

function mapReady<T>(prepared: Prepared<T>, map: (value: T) => StartInput): Prepared<StartInput> {
  return prepared.kind === "failed" ? prepared : { kind: "ready", value: map(prepared.value) };
}

const failed = (reason: string, message: string): { ok: false; reason: string; message: string } => ({
  ok: false,
  reason,
  message,
});

/** When the attempt began, the same whenever it is asked: what others do begins when the node is ready, our own work now. */
function beganAt({ state }: NodeRecord, { execution }: NodeComponent, now: Ms): Date {
  if (STARTS_AS[execution] === "Queued" && "readyAt" in state && state.readyAt !== null) {
    return new Date(state.readyAt);
  }
  return new Date("startedAt" in state && state.startedAt !== null ? state.startedAt : now);
}

function termsOf({ timeoutSeconds, onTimeout }: ApprovalRequest, now: Ms): ApprovalTerms {
  return {
    deadlineAt: timeoutSeconds === undefined ? null : now + timeoutSeconds * 1000,
    onDeadline: onTimeout,
  };
}

const STARTS_AS = {
  task: "Queued",
  polled: "Queued",
  "child-run": "Queued",
  "in-process": "Running",
  timer: "Running",
  approval: "Suspended",
} as const satisfies Record<NodeComponent["execution"], NodeTraits["startsAs"]>;

/** Of a kind nobody knows: it fails when it is prepared. */
export function traitsOf(registry: ComponentRegistry): (node: GraphNode["definition"]) => NodeTraits {
  return ({ kind, condition }) => ({
    startsAs: STARTS_AS[registry.get(kind)?.execution ?? "in-process"],
    conditionPerItem: condition !== undefined && namesItem(condition),
  });
}

function namesItem(condition: string): boolean {
  const compiled = compileExpression(condition);
  return compiled.ok && compiled.expression.references.item;
}
