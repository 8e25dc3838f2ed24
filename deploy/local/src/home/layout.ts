import { join } from "node:path";

/** Where things lie in the stack's folder (`.aiep`). */
export interface Layout {
  readonly home: string;
  readonly stateFile: string;
  readonly portsFile: string;
  readonly pausedFile: string;
  readonly runtimeFile: string;
  /** Schedulers elsewhere. */
  readonly schedulersFile: string;
  readonly logDir: string;
  readonly secretsDir: string;
  readonly jwksFile: string;
  readonly clientFile: string;
  readonly subscriberFile: string;
  readonly clientKeyFile: string;
  readonly directoryFile: string;
  /** What the operators of this stack say of node kinds. */
  readonly componentsFile: string;
  readonly storageDir: string;
  readonly natsDir: string;
  readonly databaseDir: string;
  /** The local runtime's own folder: nodes of tasks. */
  readonly runtimeDir: string;
  /** Log files in the kubelet's layout, written by the runtime, read by the agent. */
  readonly podLogsDir: string;
  readonly codePackagesDir: string;
  readonly artifactsDir: string;
  /** Chunks of the log store. */
  readonly logStoreDir: string;
  readonly agentDir: string;
}

export function layoutOf(home: string): Layout {
  const at = (...parts: string[]) => join(home, ...parts);
  return {
    home,
    stateFile: at("state.json"),
    portsFile: at("ports.json"),
    pausedFile: at("paused"),
    runtimeFile: at("runtime.json"),
    schedulersFile: at("schedulers.json"),
    logDir: at("log"),
    secretsDir: at("secrets"),
    jwksFile: at("jwks.json"),
    clientFile: at("client.yaml"),
    subscriberFile: at("subscriber.json"),
    clientKeyFile: at("secrets", "client-key.pem"),
    directoryFile: at("directory.yaml"),
    componentsFile: at("components.yaml"),
    storageDir: at("storage"),
    natsDir: at("nats"),
    databaseDir: at("mariadb"),
    runtimeDir: at("runtime"),
    podLogsDir: at("pods"),
    codePackagesDir: at("code-packages"),
    artifactsDir: at("artifacts"),
    logStoreDir: at("log-store"),
    agentDir: at("log-agent"),
  };
}
