import { join } from "node:path";
import type { NatsRole } from "@aiep/service-kit/nats-permissions";
import type { StackConfig } from "../config.ts";
import type { Layout } from "../home/layout.ts";
import type { Ports } from "../home/ports.ts";
import type { StackRuntime } from "../home/runtime.ts";
import type { Schedulers } from "../home/schedulers.ts";
import { bundleKeyFile, databaseUrlFile, downloadsKeyFile, natsPasswordFile } from "../home/secrets.ts";
import { WAREHOUSE, WAREHOUSE_ACCOUNT } from "../home/warehouse.ts";
import { serviceUnit } from "./service-unit.ts";
import type { Unit } from "./unit.ts";

/*
 * The programs of the stack as data: entry file, environment, where it listens. Each connects with an account of its own
 * and learns its secrets from files (D10); nothing of our own environment reaches it but what config.ts names.
 */

export interface Programs {
  readonly config: StackConfig;
  readonly layout: Layout;
  readonly ports: Ports;
  readonly runtime: StackRuntime;
  readonly schedulers: Schedulers;
}

/** Services with a database of their own (D3), and what the examples look at. */
export const DATABASES = {
  "task-svc": "aiep_task",
  "workflow-svc": "aiep_workflow",
  "log-svc": "aiep_log",
  "scheduler-bridge": "aiep_schedule",
  [WAREHOUSE_ACCOUNT]: WAREHOUSE,
} as const;

export const SERVICES = ["task-svc", "workflow-svc", "scheduler-bridge", "log-svc", "log-agent"] as const;
export type ServiceProgram = (typeof SERVICES)[number];

interface ServiceFacts {
  readonly entry: string;
  readonly port: number;
  readonly probePort: number;
  readonly env: Readonly<Record<string, string>>;
}

function factsOf(name: ServiceProgram, programs: Programs): ServiceFacts {
  const { layout, ports } = programs;
  switch (name) {
    case "task-svc":
      return {
        entry: "services/task-svc/src/main.ts",
        port: ports.task_http,
        probePort: ports.task_probe,
        env: {
          AIEP_HTTP_PORT: String(ports.task_http),
          AIEP_DATABASE_URL_FILE: databaseUrlFile(layout, name),
          AIEP_JWKS: layout.jwksFile,
          AIEP_DIRECTORY_FILE: layout.directoryFile,
          ...runtimeEnvironment(programs),
          AIEP_LOCAL_STATE_DIR: layout.runtimeDir,
          AIEP_LOCAL_LOGS_DIR: layout.podLogsDir,
          AIEP_CODE_PACKAGE_DIR: layout.codePackagesDir,
          AIEP_ARTIFACT_DIR: layout.artifactsDir,
        },
      };
    case "workflow-svc":
      return {
        entry: "services/workflow-svc/src/main.ts",
        port: ports.workflow_http ?? 0,
        probePort: ports.workflow_probe ?? 0,
        env: {
          AIEP_HTTP_PORT: String(ports.workflow_http ?? 0),
          AIEP_DATABASE_URL_FILE: databaseUrlFile(layout, name),
          AIEP_JWKS: layout.jwksFile,
          AIEP_DIRECTORY_FILE: layout.directoryFile,
          AIEP_BUNDLE_KEY_FILE: bundleKeyFile(layout),
          AIEP_COMPONENTS_FILE: layout.componentsFile,
        },
      };
    case "scheduler-bridge":
      return {
        entry: "services/scheduler-bridge/src/main.ts",
        port: ports.scheduler_http ?? 0,
        probePort: ports.scheduler_probe ?? 0,
        env: {
          AIEP_HTTP_PORT: String(ports.scheduler_http ?? 0),
          AIEP_DATABASE_URL_FILE: databaseUrlFile(layout, name),
          AIEP_JWKS: layout.jwksFile,
          AIEP_DIRECTORY_FILE: layout.directoryFile,
          ...schedulerEnvironment(programs),
        },
      };
    case "log-svc":
      return {
        entry: "services/log-svc/src/main.ts",
        port: ports.log_http,
        probePort: ports.log_probe,
        env: {
          AIEP_HTTP_PORT: String(ports.log_http),
          AIEP_DATABASE_URL_FILE: databaseUrlFile(layout, name),
          AIEP_JWKS: layout.jwksFile,
          AIEP_DIRECTORY_FILE: layout.directoryFile,
          AIEP_LOG_STORE: `dir:${layout.logStoreDir}`,
        },
      };
    case "log-agent":
      return {
        entry: "services/log-svc/src/agent/main.ts",
        port: ports.agent_probe,
        probePort: ports.agent_probe,
        env: { AIEP_AGENT_STATE_DIR: layout.agentDir, ...agentEnvironment(programs) },
      };
  }
}

function runtimeEnvironment({ runtime, layout, ports }: Programs): Record<string, string> {
  if (runtime.kind === "local") return { AIEP_RUNTIME: "local" };
  return {
    AIEP_RUNTIME: "kubernetes",
    KUBECONFIG: runtime.kubeconfig,
    AIEP_KUBERNETES_INSTANCE: runtime.instance,
    AIEP_KUBERNETES_PREPARE_IMAGE: runtime.prepare_image,
    AIEP_DOWNLOADS_HOST: runtime.downloads_host,
    AIEP_DOWNLOADS_PORT: String(ports.downloads ?? 0),
    AIEP_DOWNLOADS_KEY_FILE: downloadsKeyFile(layout),
  };
}

/** The stack's own address is where a scheduler on this machine finds it, and people, as long as there is no console. */
function schedulerEnvironment({ schedulers, ports }: Programs): Record<string, string> {
  const own = `http://127.0.0.1:${ports.http}`;
  const { wtss, trigger_url: triggerUrl = own, console_url: consoleUrl = own } = schedulers;
  const addresses = { AIEP_TRIGGER_URL: triggerUrl, AIEP_CONSOLE_URL: consoleUrl };
  if (wtss === undefined) return addresses;
  return {
    ...addresses,
    AIEP_WTSS_URL: wtss.url,
    AIEP_WTSS_USER: wtss.user,
    AIEP_WTSS_PASSWORD_FILE: wtss.password_file,
    ...(wtss.proxy_user === undefined ? {} : { AIEP_WTSS_PROXY_USER: wtss.proxy_user }),
  };
}

/** Of a cluster on this machine the agent reads the kubelet's own files; of any other it asks the API. */
function agentEnvironment({ runtime, layout }: Programs): Record<string, string> {
  const own = { AIEP_LOGS_DIR: layout.podLogsDir, AIEP_AGENT_REMOVE_AFTER_SECONDS: "3600" };
  if (runtime.kind === "local") return own;
  const cluster = { KUBECONFIG: runtime.kubeconfig, AIEP_KUBERNETES_INSTANCE: runtime.instance };
  return runtime.same_machine
    ? { ...cluster, AIEP_AGENT_SOURCE: "node", AIEP_LOGS_DIR: "/var/log/pods" }
    : { ...cluster, ...own, AIEP_AGENT_SOURCE: "follow" };
}

/** What a service finds in its environment, besides what it inherits. Secrets appear as names of files only. */
export function environmentOf(name: ServiceProgram, programs: Programs): Readonly<Record<string, string>> {
  const { env, probePort } = factsOf(name, programs);
  return { ...nats(name, programs), AIEP_METRICS_PORT: String(probePort), ...env };
}

export function service(name: ServiceProgram, programs: Programs): Unit {
  const { config, layout } = programs;
  const { entry, port, probePort } = factsOf(name, programs);
  return serviceUnit({
    name,
    address: `127.0.0.1:${port}`,
    logFile: join(layout.logDir, `${name}.log`),
    node: config.node,
    args: [join(config.root, entry)],
    cwd: layout.home,
    env: { ...config.childEnv, ...environmentOf(name, programs) },
    readyUrl: `http://127.0.0.1:${probePort}/readyz`,
  });
}

export function proxy({ config, layout, ports }: Programs): Unit {
  return serviceUnit({
    name: "proxy",
    address: `127.0.0.1:${ports.http}`,
    logFile: join(layout.logDir, "proxy.log"),
    node: config.node,
    args: [
      join(config.root, "deploy/local/src/proxy/main.ts"),
      String(ports.http),
      String(ports.task_http),
      String(ports.log_http),
      String(ports.workflow_http ?? 0),
      String(ports.scheduler_http ?? 0),
    ],
    cwd: layout.home,
    env: config.childEnv,
    readyUrl: `http://127.0.0.1:${ports.http}/livez`,
    stopGraceMs: 5_000,
  });
}

/** Streams and consumers on the bus: the only program with the right to make them. */
export function topologyProgram(programs: Programs) {
  const { config, layout } = programs;
  return {
    name: "topology",
    logFile: join(layout.logDir, "topology.log"),
    node: config.node,
    args: [join(config.root, "deploy/local/src/topology/main.ts")],
    cwd: layout.home,
    env: { ...config.childEnv, ...nats("topology", programs) },
  };
}

function nats(role: NatsRole, { layout, ports }: Programs): Record<string, string> {
  return {
    AIEP_NATS_URL: `nats://127.0.0.1:${ports.nats}`,
    AIEP_NATS_USER: role,
    AIEP_NATS_PASSWORD_FILE: natsPasswordFile(layout, role),
  };
}
