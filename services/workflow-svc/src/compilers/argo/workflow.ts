/** The parts of an Argo Workflow that we write (argo-workflow sections 1–6). */
interface Parameter {
  readonly name: string;
  readonly value?: string;
}
interface Resources {
  readonly requests: { readonly cpu: string; readonly memory: string };
  readonly limits: { readonly memory: string };
}

export interface ArgoTask {
  readonly name: string;
  readonly template: string;
  readonly depends?: string;
  readonly when?: string;
  readonly withItems?: readonly unknown[];
  readonly withParam?: string;
  readonly arguments?: {
    readonly parameters?: readonly Required<Parameter>[];
    readonly artifacts?: readonly { readonly name: string; readonly from: string }[];
  };
}

export interface ArgoTemplate {
  readonly name: string;
  readonly inputs?: {
    readonly parameters?: readonly Parameter[];
    readonly artifacts?: readonly {
      readonly name: string;
      readonly path: string;
      readonly raw?: { readonly data: string };
    }[];
  };
  readonly container?: {
    readonly image: string;
    readonly command: readonly string[];
    readonly args: readonly string[];
    readonly resources: Resources;
  };
  readonly suspend?: { readonly duration?: string };
  readonly dag?: { readonly failFast: boolean; readonly tasks: readonly ArgoTask[] };
  readonly outputs?: {
    readonly parameters?: readonly {
      readonly name: string;
      readonly valueFrom: { readonly path: string; readonly default?: string };
    }[];
    readonly artifacts?: readonly { readonly name: string; readonly path: string }[];
  };
  readonly activeDeadlineSeconds?: number;
  readonly retryStrategy?: {
    readonly limit: string;
    readonly retryPolicy: "Always" | "OnFailure" | "OnError";
    readonly backoff: { readonly duration: string; readonly factor: string; readonly cap: string };
  };
  readonly synchronization?: Synchronization;
}

interface Synchronization {
  readonly semaphores?: readonly {
    readonly configMapKeyRef: { readonly name: string; readonly key: string };
  }[];
  readonly mutexes?: readonly { readonly name: string }[];
}

export interface ArgoWorkflow {
  readonly apiVersion: "argoproj.io/v1alpha1";
  readonly kind: "Workflow";
  readonly metadata: {
    readonly generateName: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly entrypoint: string;
    readonly onExit?: string;
    readonly arguments: { readonly parameters: readonly Parameter[] };
    readonly parallelism?: number;
    readonly priority?: number;
    readonly activeDeadlineSeconds?: number;
    readonly synchronization?: Synchronization;
    readonly templates: readonly ArgoTemplate[];
  };
}
