/**
 * The API server of a cluster for tests, as an administrator sees it: one JSON request, one JSON answer. Small on
 * purpose: what a test does behind the platform's back must not go through the platform's own client.
 */
import { Agent, request } from "node:https";
import { DevServerError } from "../errors.ts";
import { type Access, readAccess } from "./kubeconfig.ts";

/** The API server said no. */
export class KubeApiError extends DevServerError {
  readonly status: number;

  constructor(status: number, call: string, text: string) {
    super("kube_api", `${call}: ${status} ${text.slice(0, 300)}`);
    this.status = status;
  }
}

export interface KubeApi extends Disposable {
  /** Undefined when there is no such object. */
  get(path: string): Promise<unknown>;
  create(path: string, object: object): Promise<unknown>;
  /** Merge patch; undefined when there is no such object. */
  patch(path: string, patch: object): Promise<unknown>;
  /** In the background; nothing happens when there is no such object. */
  remove(path: string, options?: object): Promise<void>;
}

const TIMEOUT_MS = 15_000;

export function openKubeApi(kubeconfig: string): KubeApi {
  const access = readAccess(kubeconfig);
  const { ca, cert, key } = access;
  const agent = new Agent({ keepAlive: true, maxSockets: 32, ca, cert, key });
  const send = async (method: string, path: string, body?: object): Promise<unknown> => {
    const { status, text } = await exchange(access, agent, { method, path, body });
    if (status === 404 && method !== "POST") return undefined;
    if (status >= 300) throw new KubeApiError(status, `${method} ${path}`, text);
    return JSON.parse(text);
  };
  return {
    get: async (path) => await send("GET", path),
    create: async (path, object) => await send("POST", path, object),
    patch: async (path, patch) => await send("PATCH", path, patch),
    remove: async (path, options = {}) =>
      void (await send("DELETE", path, { propagationPolicy: "Background", ...options })),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

async function exchange(
  { server, token }: Access,
  agent: Agent,
  { method, path, body }: { method: string; path: string; body: object | undefined },
): Promise<{ status: number; text: string }> {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  const headers = {
    accept: "application/json",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(bytes === undefined ? {} : { "content-type": type, "content-length": bytes.length }),
  };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return await new Promise((resolve, reject) => {
    const sent = request(new URL(path, server), { method, agent, signal, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.once("error", reject);
      response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.once("error", reject);
    sent.end(bytes);
  });
}
