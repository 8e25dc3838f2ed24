import { execFileSync } from "node:child_process";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** What the local stack takes from its surroundings; the one place that reads the environment. */
export interface StackConfig {
  /** The checkout. */
  readonly root: string;
  /** AIEP_HOME: where the stack keeps everything it has; default `.aiep` of the checkout. */
  readonly home: string;
  /** AIEP_PORT: the one HTTP port; kept for the next start. */
  readonly port: number | undefined;
  /** AIEP_RUNTIME: undefined, what it was before. */
  readonly runtime: "local" | "kubernetes" | undefined;
  readonly kubernetes: KubernetesSettings;
  readonly schedulers: SchedulerWishes;
  /** Passed to what we start: nothing of ours, and no secret. */
  readonly childEnv: Readonly<Record<string, string>>;
  /** The program that runs us, a Node 24. */
  readonly node: string;
  /** Colours and overwritten lines are welcome. */
  readonly terminal: boolean;
}

export interface KubernetesSettings {
  /** KUBECONFIG, or where kubectl looks. */
  readonly kubeconfig: string;
  /** AIEP_KUBERNETES_IMAGE: what the demo directory calls python3. */
  readonly image: string;
  /** AIEP_KUBERNETES_PREPARE_IMAGE: sh, wget, unzip, sha256sum. */
  readonly prepareImage: string;
}

/** Of scheduler-bridge; what is given is kept for the next start (home/schedulers.ts). */
export interface SchedulerWishes {
  /** AIEP_WTSS_URL; `none` forgets the one that was kept. */
  readonly wtssUrl: string | undefined;
  readonly wtssUser: string | undefined;
  readonly wtssPassword: string | undefined;
  readonly wtssPasswordFile: string | undefined;
  readonly wtssProxyUser: string | undefined;
  /** AIEP_TRIGGER_URL: where the scheduler's machines reach this stack. */
  readonly triggerUrl: string | undefined;
  readonly consoleUrl: string | undefined;
}

export const DEFAULT_PORT = 7480;

type Env = Readonly<Record<string, string | undefined>>;

const INHERITED = [
  "HOME",
  "LANG",
  "TMPDIR",
  "TZ",
  "AIEP_ENV",
  "AIEP_LOG_LEVEL",
  "AIEP_FAILPOINTS",
  "AIEP_FAILPOINT_LOG",
  "AIEP_UNSAFE_DISABLE",
  "AIEP_NATS_SERVER",
  "AIEP_MYSQLD",
  "DOCKER_HOST",
  "OTEL_EXPORTER_OTLP_ENDPOINT",
  "XDG_CACHE_HOME",
];
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function loadConfig(env: Env = process.env): StackConfig {
  const root = resolve(import.meta.dirname, "../../..");
  const inherited = INHERITED.flatMap((name) => {
    const value = env[name];
    return value === undefined || value === "" ? [] : [[name, value] as const];
  });
  return {
    root,
    home: resolve(env["AIEP_HOME"] || join(root, ".aiep")),
    port: readPort(env["AIEP_PORT"]),
    runtime: readRuntimeName(env["AIEP_RUNTIME"]),
    kubernetes: {
      kubeconfig: resolve(env["KUBECONFIG"] || join(homedir(), ".kube/config")),
      image: env["AIEP_KUBERNETES_IMAGE"] || "python:3",
      prepareImage: env["AIEP_KUBERNETES_PREPARE_IMAGE"] || "busybox:1",
    },
    schedulers: {
      wtssUrl: env["AIEP_WTSS_URL"] || undefined,
      wtssUser: env["AIEP_WTSS_USER"] || undefined,
      wtssPassword: env["AIEP_WTSS_PASSWORD"] || undefined,
      wtssPasswordFile: env["AIEP_WTSS_PASSWORD_FILE"] && resolve(env["AIEP_WTSS_PASSWORD_FILE"]),
      wtssProxyUser: env["AIEP_WTSS_PROXY_USER"] || undefined,
      triggerUrl: env["AIEP_TRIGGER_URL"] || undefined,
      consoleUrl: env["AIEP_CONSOLE_URL"] || undefined,
    },
    childEnv: {
      PATH: SYSTEM_PATH,
      // Compiled code is kept between starts: a service from sources is ready in half the time.
      NODE_COMPILE_CACHE: join(root, "node_modules/.cache/node-compile"),
      ...gitCommit(root),
      ...Object.fromEntries(inherited),
    },
    node: process.execPath,
    terminal: process.stdout.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb",
  };
}

/** What the services' /version says; nothing outside a checkout. */
function gitCommit(root: string): Record<string, string> {
  try {
    const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: root,
      encoding: "utf8",
      stdio: "pipe",
    });
    return { AIEP_GIT_COMMIT: commit.trim() };
  } catch {
    return {};
  }
}

function readRuntimeName(text: string | undefined): StackConfig["runtime"] {
  if (text === undefined || text === "") return undefined;
  if (text === "local" || text === "kubernetes") return text;
  throw new UsageError(`AIEP_RUNTIME=${text} is neither local nor kubernetes`);
}

function readPort(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new UsageError(`AIEP_PORT=${text} is not a port: a number from 1 to 65535`);
}
