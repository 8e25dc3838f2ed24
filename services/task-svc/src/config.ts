/** Settings of task-svc from the environment. */
import { AiepError } from "@aiep/contracts";
import { parseStoreLocation, STORE_ADDRESS, type StoreLocation } from "@aiep/objects";
import { type Environment, loadConfig, serviceEnvironment, unsafeSwitches } from "@aiep/service-kit";
import * as z from "zod";
import { DEFAULT_CODE_PACKAGE_LIMITS } from "./code-packages/limits.ts";

const MIB = 1024 * 1024;
const folder = z.string().regex(/^\//, "an absolute path");

const kubernetesEnvironment = {
  /** Without it the pod's own service account is used. */
  KUBECONFIG: z.string().optional(),
  /** Several installations in one cluster need different ones; default AIEP_ENV. */
  AIEP_KUBERNETES_INSTANCE: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "up to 63 lower-case letters, digits and '-'")
    .optional(),
  /** Image of the container that fetches code and material: sh, wget, unzip, sha256sum. */
  AIEP_KUBERNETES_PREPARE_IMAGE: z.string().min(1).optional(),
  AIEP_KUBERNETES_REQUESTS_PER_SECOND: z.coerce.number().min(1).max(1000).default(50),
  /** How long the objects of an ended task stay in the cluster. */
  AIEP_KUBERNETES_KEEP_SECONDS: z.coerce.number().int().min(0).default(3600),
  /** Where prepare containers fetch from; the URL is what pods see. */
  AIEP_DOWNLOADS_HOST: z.string().default("127.0.0.1"),
  AIEP_DOWNLOADS_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  AIEP_DOWNLOADS_URL: z.url().optional(),
  /** Signs what a prepare container may fetch; the same for all replicas. */
  AIEP_DOWNLOADS_KEY: z.string().min(32).optional(),
};

const schema = z.object({
  ...serviceEnvironment,
  AIEP_GIT_COMMIT: z.string().optional(),
  AIEP_RUNTIME: z.enum(["local", "kubernetes"]).default("local"),
  ...kubernetesEnvironment,
  /** Working folders of the local runtime's tasks. */
  AIEP_LOCAL_STATE_DIR: folder,
  /** Their logs, in the kubelet's layout; the log agent reads here. */
  AIEP_LOCAL_LOGS_DIR: folder,
  AIEP_CODE_PACKAGE_DIR: folder,
  /** Where what pods send is unpacked; without AIEP_ARTIFACT_STORE also that store. */
  AIEP_ARTIFACT_DIR: folder,
  /** Directories that tasks leave for other tasks. */
  AIEP_ARTIFACT_STORE: z.string().regex(STORE_ADDRESS.pattern, STORE_ADDRESS.form).optional(),
  AIEP_ARTIFACT_STORE_ACCESS_KEY: z.string().optional(),
  AIEP_ARTIFACT_STORE_SECRET_KEY: z.string().optional(),
  /** One that nobody left or was given again for so long is removed. */
  AIEP_ARTIFACT_KEEP_DAYS: z.coerce.number().min(1).default(30),
  AIEP_CODE_PACKAGE_MAX_MB: z.coerce
    .number()
    .int()
    .min(1)
    .max(4096)
    .default(DEFAULT_CODE_PACKAGE_LIMITS.zipBytes / MIB),
  /** A package that no task uses is removed this long after it was last uploaded or asked for. */
  AIEP_CODE_PACKAGE_KEEP_DAYS: z.coerce.number().min(1).default(7),
  /** Launches at the same time; default 16, with Kubernetes what its rate lets begin in two seconds: the rate is the bound. */
  AIEP_CONTROL_LAUNCHES: z.coerce.number().int().min(1).max(2000).optional(),
  /** How often the runtime's list is compared with the live tasks. */
  AIEP_CONTROL_RESYNC_SECONDS: z.coerce.number().min(1).default(60),
  /** How long the controller rests after a crash of the one that was active. */
  AIEP_CONTROL_LEASE_SECONDS: z.coerce.number().min(0.5).default(3),
  /** How long a repeated Idempotency-Key gets the first answer. */
  AIEP_IDEMPOTENCY_HOURS: z.coerce.number().min(1).default(24),
  /** History of deleted tasks is kept this long. */
  AIEP_HISTORY_DAYS: z.coerce.number().min(1).default(30),
});

/** Only with AIEP_RUNTIME=kubernetes. */
function kubernetesSettings(config: z.infer<typeof schema>) {
  const { AIEP_KUBERNETES_PREPARE_IMAGE: prepareImage, AIEP_DOWNLOADS_KEY: downloadsKey } = config;
  const missing = [
    ...(prepareImage === undefined ? ["AIEP_KUBERNETES_PREPARE_IMAGE"] : []),
    ...(downloadsKey === undefined ? ["AIEP_DOWNLOADS_KEY"] : []),
  ];
  if (prepareImage === undefined || downloadsKey === undefined)
    throw new AiepError("CONFIG_INVALID", `AIEP_RUNTIME=kubernetes needs ${missing.join(" and ")}.`);
  return { prepareImage, downloadsKey };
}

function artifactStore(config: z.infer<typeof schema>): StoreLocation {
  const { AIEP_ARTIFACT_DIR: path, AIEP_ARTIFACT_STORE: address } = config;
  if (address === undefined) return { kind: "directory", path };
  return parseStoreLocation("AIEP_ARTIFACT_STORE", address, {
    accessKey: config.AIEP_ARTIFACT_STORE_ACCESS_KEY,
    secretKey: config.AIEP_ARTIFACT_STORE_SECRET_KEY,
  });
}

export function loadTaskConfig(env: Environment) {
  const config = loadConfig(schema, env);
  const launches = config.AIEP_RUNTIME === "kubernetes" ? 2 * config.AIEP_KUBERNETES_REQUESTS_PER_SECOND : 16;
  return {
    ...config,
    AIEP_CONTROL_LAUNCHES: config.AIEP_CONTROL_LAUNCHES ?? Math.ceil(launches),
    kubernetes: config.AIEP_RUNTIME === "kubernetes" ? kubernetesSettings(config) : undefined,
    artifactStore: artifactStore(config),
    address: { env: config.AIEP_ENV, source: "/aiep/task-svc" },
    unsafe: unsafeSwitches(config.AIEP_ENV, config.AIEP_UNSAFE_DISABLE),
    codePackageLimits: {
      ...DEFAULT_CODE_PACKAGE_LIMITS,
      zipBytes: config.AIEP_CODE_PACKAGE_MAX_MB * MIB,
    },
  };
}
export type TaskConfig = ReturnType<typeof loadTaskConfig>;
