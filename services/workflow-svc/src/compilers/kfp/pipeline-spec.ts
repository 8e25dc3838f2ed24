/** The parts of a KFP v2 PipelineSpec and PlatformSpec that we write (kfp-pipelinespec sections 1–7); protobuf JSON names. */
export type ParameterType = "STRING" | "NUMBER_DOUBLE" | "BOOLEAN" | "LIST" | "STRUCT";

export interface ParameterDefinition {
  readonly parameterType: ParameterType;
  readonly defaultValue?: unknown;
  readonly isOptional?: true;
  readonly description?: string;
}
export interface ArtifactDefinition {
  readonly artifactType: { readonly schemaTitle: "system.Artifact"; readonly schemaVersion: "0.0.1" };
}
export interface Definitions {
  readonly parameters?: Readonly<Record<string, ParameterDefinition>>;
  readonly artifacts?: Readonly<Record<string, ArtifactDefinition>>;
}

export type ParameterSource =
  | { readonly componentInputParameter: string }
  | { readonly runtimeValue: { readonly constant: unknown } }
  | {
      readonly taskOutputParameter: { readonly producerTask: string; readonly outputParameterKey: string };
    };
export type ArtifactSource =
  | { readonly componentInputArtifact: string }
  | { readonly taskOutputArtifact: { readonly producerTask: string; readonly outputArtifactKey: string } };

export interface Task {
  readonly taskInfo: { readonly name: string };
  readonly componentRef: { readonly name: string };
  readonly dependentTasks?: readonly string[];
  readonly cachingOptions: { readonly enableCache?: true };
  readonly inputs?: {
    readonly parameters?: Readonly<Record<string, ParameterSource>>;
    readonly artifacts?: Readonly<Record<string, ArtifactSource>>;
  };
  readonly triggerPolicy?: {
    readonly condition?: string;
    readonly strategy?: "ALL_UPSTREAM_TASKS_COMPLETED";
  };
  readonly retryPolicy?: {
    readonly maxRetryCount: number;
    readonly backoffDuration: string;
    readonly backoffFactor: number;
    readonly backoffMaxDuration: string;
  };
  readonly parameterIterator?: {
    readonly itemInput: string;
    readonly items: { readonly raw: string } | { readonly inputParameter: string };
  };
  readonly iteratorPolicy?: { readonly parallelismLimit: number };
}

export interface Dag {
  readonly tasks: Readonly<Record<string, Task>>;
  readonly outputs?: {
    readonly parameters?: Readonly<
      Record<
        string,
        {
          readonly valueFromParameter: {
            readonly producerSubtask: string;
            readonly outputParameterKey: string;
          };
        }
      >
    >;
  };
}

export interface Component {
  readonly inputDefinitions?: Definitions;
  readonly outputDefinitions?: Definitions;
  readonly executorLabel?: string;
  readonly dag?: Dag;
}

export interface PipelineSpec {
  readonly pipelineInfo: {
    readonly name: string;
    readonly displayName: string;
    readonly description?: string;
  };
  readonly schemaVersion: "2.1.0";
  readonly sdkVersion: string;
  readonly root: Component;
  readonly components: Readonly<Record<string, Component>>;
  readonly deploymentSpec: {
    readonly executors: Readonly<Record<string, { readonly container: ContainerSpec }>>;
  };
}

export interface ContainerSpec {
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly resources: {
    readonly resourceCpuRequest: string;
    readonly resourceMemoryRequest: string;
    readonly resourceMemoryLimit: string;
  };
}

export interface PlatformSpec {
  readonly platforms: {
    readonly kubernetes: {
      readonly deploymentSpec: {
        readonly executors: Readonly<
          Record<
            string,
            {
              readonly secretAsVolume: readonly {
                readonly secretName: string;
                readonly mountPath: string;
                readonly optional: false;
              }[];
              readonly activeDeadlineSeconds?: number;
            }
          >
        >;
      };
      readonly pipelineConfig?: { readonly activeDeadlineSeconds: number };
    };
  };
}
