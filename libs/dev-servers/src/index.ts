/*
 * Real servers for tests and for the local stack (D10, D31): found, installed when possible, started on loopback.
 *
 *   place           folder and port of a server; server-handle: what a caller can do with one
 *   programs        which program to start: environment → PATH → apt-get → Docker → what to type
 *   ensure          getting everything onto the machine beforehand
 *   server-process  one child process that never outlives its owner; launch, docker: run directly or in a container
 *   nats, database, s3   the servers; shared-database: one database server for a whole test run
 *   kubernetes/     a cluster that is there: its API, its audit log, a proxy of faults, simulated nodes
 *   wait, port      waiting for a named condition; free ports
 */
export { type ApiAnswer, type ApiClient, type CallOptions, openApiClient } from "./api-client.ts";
export { type DevServersConfig, loadConfig } from "./config.ts";
export { type DatabaseServer, type DatabaseServerOptions, startDatabase } from "./database.ts";
export type { Database, DatabaseOptions } from "./database-client.ts";
export { type EnsureOptions, ensurePython, ensureServers } from "./ensure.ts";
export {
  DevServerError,
  PortTakenError,
  ServerNotFoundError,
  ServerStartError,
  WaitTimeoutError,
} from "./errors.ts";
export { type AuditedWrite, AuditLog } from "./kubernetes/audit-log.ts";
export { type ClusterPart, type RestartPart, restarting } from "./kubernetes/cluster-parts.ts";
export { type ApiFault, type FaultProxy, openFaultProxy, type SeenCall } from "./kubernetes/fault-proxy.ts";
export { type KubeApi, KubeApiError, openKubeApi } from "./kubernetes/kube-api.ts";
export { kubeconfigText, readAccess } from "./kubernetes/kubeconfig.ts";
export { findKwok, type SimulatedNodes, startSimulatedNodes } from "./kubernetes/simulated-nodes.ts";
export {
  type LinkisFault,
  type LinkisOptions,
  type LinkisServer,
  type LinkisTable,
  startLinkis,
} from "./linkis.ts";
export { type NatsOptions, type NatsServer, startNats } from "./nats.ts";
export type { NatsUser } from "./nats-config.ts";
export { freePort, portIsFree } from "./port.ts";
export { type S3Server, startS3 } from "./s3.ts";
export { testDatabase } from "./shared-database.ts";
export { createTokenSigner, type TokenSigner, unsignedToken } from "./token-signer.ts";
export { type WaitOptions, waitFor } from "./wait.ts";
export { startWtss, type WtssAccount, type WtssFault, type WtssOptions, type WtssServer } from "./wtss.ts";
