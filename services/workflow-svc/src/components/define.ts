/**
 * From a kind as its folder writes it, typed by its own manifest, to the `NodeComponent` that the engine calls: parses the
 * resolved manifest once and turns what does not fit into a failure of class validation (C5).
 */
import type { SubmitTaskBody } from "@aiep/contracts";
import type * as z from "zod";
import type { CatalogEntry, ManifestProblem, SubWorkflowReference } from "../domain/definition/index.ts";
import type { Json } from "../domain/values/index.ts";
import type {
  ApprovalComponent,
  ApprovalRequest,
  ChildRunComponent,
  ChildRunRequest,
  ComponentCategory,
  Failed,
  InProcessComponent,
  ManifestObject,
  NodeContext,
  Outcome,
  Outputs,
  PolledComponent,
  Prepared,
  Succeeded,
  TaskComponent,
  TimerComponent,
  Waiting,
} from "./component.ts";
import type { ComponentForm, Text } from "./form.ts";
import { issueProblems } from "./manifest-problems.ts";

interface Spec<Schema extends z.ZodType> {
  readonly kind: string;
  readonly title: Text;
  readonly category: ComponentCategory;
  readonly summary: Text;
  readonly manifest: Schema;
  readonly form: ComponentForm;
  readonly scriptFields?: readonly string[];
  readonly outputs?: CatalogEntry["outputs"];
  readonly example: z.input<Schema>;
  /** Rules between fields of a manifest that fits the schema. */
  readonly checkRules?: (manifest: z.output<Schema>) => readonly ManifestProblem[];
}

type Of<Schema extends z.ZodType> = NodeContext<z.output<Schema>>;

export const succeeded = (outputs: Outputs = {}, message: string | null = null): Succeeded => ({
  kind: "succeeded",
  outputs,
  message,
});
export const failed = (failure: Failed["failure"], reason: string, message: string): Failed => ({
  kind: "failed",
  failure,
  reason,
  message,
});
export const ready = <T>(value: T): Prepared<T> => ({ kind: "ready", value });

function described<Schema extends z.ZodType>(spec: Spec<Schema>) {
  const { kind, title, category, summary, manifest, form, scriptFields = [], outputs } = spec;
  return {
    kind,
    title,
    category,
    summary,
    manifest,
    form,
    scriptFields,
    outputs,
    // A manifest's schema is an object schema; its input is a JSON object.
    example: spec.example as ManifestObject,
    checkRules: (value: ManifestObject) => {
      const parsed = manifest.safeParse(value);
      return parsed.success ? (spec.checkRules?.(parsed.data) ?? []) : [];
    },
  };
}

/** The typed context, or why the node fails before it began. */
function parse<Schema extends z.ZodType>(spec: Spec<Schema>, context: NodeContext): Prepared<Of<Schema>> {
  const parsed = spec.manifest.safeParse(context.manifest);
  const problems = parsed.success ? (spec.checkRules?.(parsed.data) ?? []) : issueProblems(parsed.error);
  if (parsed.success && problems.length === 0) return ready({ ...context, manifest: parsed.data });
  const told = problems.slice(0, 5).map(({ path, detail }) => `${path.join(".") || "manifest"}: ${detail}`);
  return failed("validation", "ManifestInvalid", `The node's settings do not fit: ${told.join("; ")}.`);
}

export function defineTask<Schema extends z.ZodType>(
  spec: Spec<Schema> & { readonly toTask: (context: Of<Schema>) => Prepared<SubmitTaskBody> },
): TaskComponent {
  return {
    ...described(spec),
    execution: "task",
    toTask: (context) => {
      const typed = parse(spec, context);
      return typed.kind === "failed" ? typed : spec.toTask(typed.value);
    },
  };
}

export function defineInProcess<Schema extends z.ZodType>(
  spec: Spec<Schema> & {
    readonly instant?: boolean;
    readonly execute: (context: Of<Schema>, signal: AbortSignal) => Outcome | Promise<Outcome>;
  },
): InProcessComponent {
  return {
    ...described(spec),
    execution: "in-process",
    instant: spec.instant ?? false,
    execute: (context, signal) => {
      const typed = parse(spec, context);
      return typed.kind === "failed" ? typed : spec.execute(typed.value, signal);
    },
  };
}

export function definePolled<Schema extends z.ZodType, Handle extends Json>(
  spec: Spec<Schema> & {
    /** What an older release committed must still be readable. */
    readonly handle: z.ZodType<Handle>;
    readonly start: (context: Of<Schema>, signal: AbortSignal) => Promise<Waiting | Outcome>;
    readonly status: (context: Of<Schema>, handle: Handle, signal: AbortSignal) => Promise<Waiting | Outcome>;
    readonly cancel: (context: Of<Schema>, handle: Handle, signal: AbortSignal) => Promise<void>;
  },
): PolledComponent {
  return {
    ...described(spec),
    execution: "polled",
    start: async (context, signal) => {
      const typed = parse(spec, context);
      return typed.kind === "failed" ? typed : await spec.start(typed.value, signal);
    },
    status: async (context, handle, signal) => {
      const typed = parse(spec, context);
      if (typed.kind === "failed") return typed;
      const known = spec.handle.safeParse(handle);
      if (known.success) return await spec.status(typed.value, known.data, signal);
      return failed(
        "system",
        "HandleUnreadable",
        "What the node remembered cannot be read any more; run it again.",
      );
    },
    cancel: async (context, handle, signal) => {
      const typed = parse(spec, context);
      const known = spec.handle.safeParse(handle);
      if (typed.kind === "ready" && known.success) await spec.cancel(typed.value, known.data, signal);
    },
  };
}

export function defineTimer<Schema extends z.ZodType>(
  spec: Spec<Schema> & { readonly toTimer: (context: Of<Schema>) => Prepared<Date> },
): TimerComponent {
  return {
    ...described(spec),
    execution: "timer",
    toTimer: (context) => {
      const typed = parse(spec, context);
      return typed.kind === "failed" ? typed : spec.toTimer(typed.value);
    },
  };
}

export function defineApproval<Schema extends z.ZodType>(
  spec: Spec<Schema> & { readonly toApproval: (context: Of<Schema>) => Prepared<ApprovalRequest> },
): ApprovalComponent {
  return {
    ...described(spec),
    execution: "approval",
    toApproval: (context) => {
      const typed = parse(spec, context);
      return typed.kind === "failed" ? typed : spec.toApproval(typed.value);
    },
  };
}

export function defineChildRun<Schema extends z.ZodType>(
  spec: Spec<Schema> & {
    readonly toChildRun: (context: Of<Schema>) => Prepared<ChildRunRequest>;
    readonly childOf: (manifest: z.output<Schema>) => SubWorkflowReference;
  },
): ChildRunComponent {
  return {
    ...described(spec),
    execution: "child-run",
    toChildRun: (context) => {
      const typed = parse(spec, context);
      return typed.kind === "failed" ? typed : spec.toChildRun(typed.value);
    },
    childOf: (manifest) => {
      const parsed = spec.manifest.safeParse(manifest);
      return parsed.success ? spec.childOf(parsed.data) : undefined;
    },
  };
}
