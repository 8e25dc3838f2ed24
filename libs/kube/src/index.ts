/**
 * Speaking with a Kubernetes API server, for every service that has to.
 *
 *   connection   where it is and how one proves who one is     transport   one request: JSON, or a stream of lines
 *   reflector    a list kept true by watches                   kube-client writes with rate, priorities and retries
 *   rate-limiter api-error resources
 */
export { ApiError, type ApiErrorKind } from "./api-error.ts";
export { type Connection, connect } from "./connection.ts";
export { createKubeClient, type KubeClient, type KubeClientDeps, type RemoveOptions } from "./kube-client.ts";
export { createRateLimiter, type Priority, type RateLimiter } from "./rate-limiter.ts";
export { type Reflector, type ReflectorHandler, type ReflectorOptions, startReflector } from "./reflector.ts";
export { pathOf, type ResourceKind } from "./resources.ts";
export { type ApiRequest, type Query, requestBytes, requestJson, requestLines } from "./transport.ts";
