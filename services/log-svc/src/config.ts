/** Settings of the store and of the agent, from their environments. */
import { parseStoreLocation, STORE_ADDRESS } from "@aiep/objects";
import { type Environment, loadConfig, serviceEnvironment, unsafeSwitches } from "@aiep/service-kit";
import * as z from "zod";

const DAY_MS = 86_400_000;

const storeSchema = z.object({
  ...serviceEnvironment,
  AIEP_LOG_STORE: z.string().regex(STORE_ADDRESS.pattern, STORE_ADDRESS.form),
  AIEP_LOG_STORE_ACCESS_KEY: z.string().optional(),
  AIEP_LOG_STORE_SECRET_KEY: z.string().optional(),
  AIEP_GIT_COMMIT: z.string().optional(),
  AIEP_LOG_RETENTION_DAYS: z.coerce.number().min(0).default(30),
});

export function loadStoreConfig(env: Environment) {
  const config = loadConfig(storeSchema, env);
  return {
    ...config,
    location: parseStoreLocation("AIEP_LOG_STORE", config.AIEP_LOG_STORE, {
      accessKey: config.AIEP_LOG_STORE_ACCESS_KEY,
      secretKey: config.AIEP_LOG_STORE_SECRET_KEY,
    }),
    keepMs: config.AIEP_LOG_RETENTION_DAYS * DAY_MS,
    unsafe: unsafeSwitches(config.AIEP_ENV, config.AIEP_UNSAFE_DISABLE),
  };
}

const {
  AIEP_ENV,
  AIEP_NATS_URL,
  AIEP_NATS_USER,
  AIEP_NATS_PASSWORD,
  AIEP_LOG_LEVEL,
  AIEP_METRICS_PORT,
  AIEP_HTTP_HOST,
  OTEL_EXPORTER_OTLP_ENDPOINT,
} = serviceEnvironment;

const agentSchema = z.object({
  AIEP_ENV,
  AIEP_NATS_URL,
  AIEP_NATS_USER,
  AIEP_NATS_PASSWORD,
  AIEP_LOG_LEVEL,
  /**
   * `files`: a runtime of this machine says by a file whose log it is. `node`: a kubelet writes the files, the API says whose
   * they are. `follow`: no node's files can be read; the API's log streams are written into AIEP_LOGS_DIR first.
   */
  AIEP_AGENT_SOURCE: z.enum(["files", "node", "follow"]).default("files"),
  /** With `node` and `follow`; without it the pod's own service account is used. */
  KUBECONFIG: z.string().optional(),
  /** With `node` and `follow`: the task-svc whose pods are read; default AIEP_ENV. */
  AIEP_KUBERNETES_INSTANCE: z.string().min(1).optional(),
  /** With `node`: only this node's pods are watched. */
  AIEP_NODE_NAME: z.string().min(1).optional(),
  /** Where pods' logs are, in the kubelet's layout: `/var/log/pods` on a node. */
  AIEP_LOGS_DIR: z.string().regex(/^\//, "an absolute path"),
  AIEP_METRICS_PORT,
  AIEP_HTTP_HOST,
  OTEL_EXPORTER_OTLP_ENDPOINT,
  AIEP_GIT_COMMIT: z.string().optional(),
  /** Keeps the checkpoint. */
  AIEP_AGENT_STATE_DIR: z.string().regex(/^\//, "an absolute path"),
  /** Shipped pod folders are removed this long after their end; unset: somebody else removes them. */
  AIEP_AGENT_REMOVE_AFTER_SECONDS: z.coerce.number().int().min(0).optional(),
});

export type AgentConfig = z.output<typeof agentSchema>;

export function loadAgentConfig(env: Environment): AgentConfig {
  return loadConfig(agentSchema, env);
}
