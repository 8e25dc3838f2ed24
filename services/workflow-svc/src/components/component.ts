/**
 * What a node kind is (D23): a type name, a manifest schema with its form, and one of six ways to be executed. A kind is one
 * folder below `components/` and one line of `registry.ts`.
 *
 * C1 a component holds no state between calls: what it must remember is in its handle, which the engine commits.
 * C2 everything called again with the same execution key has the effect of once, or says in its page why that is harmless.
 * C3 a component never throws for what the outside world does: it answers an outcome with reason and message. A throw is a
 *    fault of ours; the engine makes it a failure of class system.
 * C4 messages, handles and outputs never carry a secret, nor the text of a foreign server's 401.
 * C5 the manifest it is given is resolved (no `${…}` of ours left) but not yet parsed: `define*` below parses it.
 */
import type {
  ExperimentId,
  FailureClass,
  GroupId,
  RunId,
  SubmitTaskBody,
  WorkflowNodeId,
} from "@aiep/contracts";
import type * as z from "zod";
import type { CatalogEntry, ManifestProblem, SubWorkflowReference } from "../domain/definition/index.ts";
import type { Json } from "../domain/values/index.ts";
import type { ComponentForm, Text } from "./form.ts";

export type ManifestObject = Readonly<Record<string, Json>>;
export type Outputs = Readonly<Record<string, Json>>;

/** Everything a component may know of the node it runs. `M` is its parsed manifest. */
export interface NodeContext<M = ManifestObject> {
  readonly run: {
    readonly id: RunId;
    readonly experimentId: ExperimentId;
    readonly experimentName: string;
    /** `v3`. */
    readonly versionName: string;
    readonly groupId: GroupId;
    /** Whose rights the run has. */
    readonly createdBy: string;
    /** Business date, `yyyyMMdd`. */
    readonly runDate: string;
    /** IANA zone in which the run reckons. */
    readonly timeZone: string;
    /** `options.proxy_user` of the workflow. */
    readonly proxyUser: string | undefined;
    /** 0 of a run that no other started, +1 for each level below. */
    readonly depth: number;
  };
  readonly node: {
    readonly id: WorkflowNodeId;
    /** `train`, or `train[3]` of a for_each. */
    readonly key: string;
    readonly name: string;
    readonly description: string | undefined;
    readonly attempt: number;
  };
  readonly manifest: M;
  /** Same for the same (run, node key, attempt); another attempt has another. */
  readonly executionKey: string;
  /** When this attempt began; the same after a restart of the service. */
  readonly attemptStartedAt: Date;
}

export interface Succeeded {
  readonly kind: "succeeded";
  readonly outputs: Outputs;
  readonly message: string | null;
}

export interface Failed {
  readonly kind: "failed";
  readonly failure: FailureClass;
  /** Machine word. */
  readonly reason: string;
  /** A sentence that says what happened and what to do. */
  readonly message: string;
}

export type Outcome = Succeeded | Failed;

/** Pure preparation: what the engine shall do, or why the node fails (failure `validation`, never retried). */
export type Prepared<T> = { readonly kind: "ready"; readonly value: T } | Failed;

/** What a polled node waits for. */
export interface Waiting {
  readonly kind: "waiting";
  /** Committed by the engine, given back to `status` and `cancel`, also to another replica or after a restart. */
  readonly handle: Json;
  readonly checkAfterSeconds: number;
  /** What it waits for, shown to people (I11). */
  readonly message: string;
}

export interface ApprovalRequest {
  readonly message: string;
  /** Both empty: every member of the group. */
  readonly allowedUsers: readonly string[];
  readonly allowedRoles: readonly ApprovalRole[];
  readonly timeoutSeconds: number | undefined;
  readonly onTimeout: "fail" | "skip" | "approve";
}
export const APPROVAL_ROLES = ["group_admin", "admin"] as const;
export type ApprovalRole = (typeof APPROVAL_ROLES)[number];

export interface ChildRunRequest {
  readonly experimentId: ExperimentId;
  /** Undefined: the newest frozen one. */
  readonly versionName: string | undefined;
  readonly parameters: Readonly<Record<string, Json>>;
  /** `yyyyMMdd`; the parent's unless the node says otherwise. */
  readonly runDate: string;
}

export const COMPONENT_CATEGORIES = ["training", "data", "control", "integration"] as const;
export type ComponentCategory = (typeof COMPONENT_CATEGORIES)[number];

interface Described {
  readonly kind: string;
  readonly title: Text;
  readonly category: ComponentCategory;
  /** What it is for, one or two sentences. */
  readonly summary: Text;
  readonly manifest: z.ZodType;
  readonly form: ComponentForm;
  /** Dotted paths below the manifest; `${UPPER_CASE}` in these texts belongs to the shell. */
  readonly scriptFields: readonly string[];
  /** Left without being declared; "any" when only the manifest tells. Default none. */
  readonly outputs: CatalogEntry["outputs"];
  /** A manifest that can be submitted as it is; shown in the documents. */
  readonly example: ManifestObject;
  /** Rules between fields of a manifest whose shape is right. */
  checkRules(manifest: ManifestObject): readonly ManifestProblem[];
}

/** A container task: submitted over the bus, followed by its events. */
export interface TaskComponent extends Described {
  readonly execution: "task";
  /** Pure. The engine adds `requested_by` and the command's id. */
  toTask(context: NodeContext): Prepared<SubmitTaskBody>;
}

/** Work of this service that ends within minutes. */
export interface InProcessComponent extends Described {
  readonly execution: "in-process";
  /** Neither I/O nor waiting: start and end may share one commit. `execute` then answers without a promise. */
  readonly instant: boolean;
  execute(context: NodeContext, signal: AbortSignal): Outcome | Promise<Outcome>;
}

/** Work elsewhere, asked for now and then; nothing is held between the questions. */
export interface PolledComponent extends Described {
  readonly execution: "polled";
  start(context: NodeContext, signal: AbortSignal): Promise<Waiting | Outcome>;
  status(context: NodeContext, handle: Json, signal: AbortSignal): Promise<Waiting | Outcome>;
  /** Best effort, bounded by the signal; never throws for what the outside does. */
  cancel(context: NodeContext, handle: Json, signal: AbortSignal): Promise<void>;
}

/** Ends well at a moment. */
export interface TimerComponent extends Described {
  readonly execution: "timer";
  toTimer(context: NodeContext): Prepared<Date>;
}

/** Waits until somebody decides: the node is Suspended. */
export interface ApprovalComponent extends Described {
  readonly execution: "approval";
  toApproval(context: NodeContext): Prepared<ApprovalRequest>;
}

/** Starts a run of another workflow and ends as it ends. */
export interface ChildRunComponent extends Described {
  readonly execution: "child-run";
  toChildRun(context: NodeContext): Prepared<ChildRunRequest>;
  childOf(manifest: ManifestObject): SubWorkflowReference | undefined;
}

export type NodeComponent =
  | TaskComponent
  | InProcessComponent
  | PolledComponent
  | TimerComponent
  | ApprovalComponent
  | ChildRunComponent;
export type Execution = NodeComponent["execution"];
