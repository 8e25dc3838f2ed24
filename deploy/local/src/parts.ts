/** Pieces of the local stack for the fault tests: the same programs, environments, accounts and directory, kept by a test. */
export { loadConfig, type StackConfig } from "./config.ts";
export { writeClientContext } from "./home/client-context.ts";
export { ensureDirectory } from "./home/directory.ts";
export { type Layout, layoutOf } from "./home/layout.ts";
export { type Ports, preparePorts } from "./home/ports.ts";
export { LOCAL_RUNTIME, type StackRuntime } from "./home/runtime.ts";
export { NO_SCHEDULERS } from "./home/schedulers.ts";
export { ensureSecrets, NATS_ROLES, type Secrets, writeDatabaseUrl } from "./home/secrets.ts";
export { fillWarehouse, WAREHOUSE } from "./home/warehouse.ts";
export { prepareCluster } from "./kubernetes/cluster.ts";
export { endNodes, runningNodes } from "./processes/task-nodes.ts";
export { runOnce } from "./supervisor/service-unit.ts";
export {
  DATABASES,
  type Programs,
  proxy,
  type ServiceProgram,
  service,
  topologyProgram,
} from "./supervisor/services.ts";
export type { Life } from "./supervisor/unit.ts";
