/**
 * The API server of a cluster for tests, as an administrator sees it: one JSON request, one JSON answer. Small on
 * purpose: what a test does behind the platform's back must not go through the platform's own client.
 */
import { readFileSync } from "node:fs";
import { Agent, type RequestOptions, request } from "node:https";
import { parse } from "yaml";
import { DevServerError } from "../errors.ts";

/** The parts of a kubeconfig that are used here; credentials by certificate, inline or in files. */
interface Kubeconfig {
  readonly "current-context": string;
  readonly contexts: readonly {
    readonly name: string;
    readonly context: { readonly cluster: string; readonly user: string };
  }[];
  readonly clusters: readonly { readonly name: string; readonly cluster: Readonly<Record<string, string>> }[];
  readonly users: readonly { readonly name: string; readonly user: Readonly<Record<string, string>> }[];
}

/** The API server said no. */
export class KubeApiError extends DevServerError {
  readonly status: number;

  constructor(status: number, call: string, text: string) {
    super("kube_api", `${call}: ${status} ${text.slice(0, 300)}`);
    this.status = status;
  }
}

export interface KubeApi extends Disposable {
  readonly server: URL;
  /** Undefined when there is no such object. */
  get(path: string): Promise<unknown>;
  create(path: string, object: object): Promise<unknown>;
  /** Merge patch. */
  patch(path: string, patch: object): Promise<unknown>;
  /** Nothing happens when there is no such object. */
  remove(path: string, options?: object): Promise<void>;
}

const TIMEOUT_MS = 15_000;

export function openKubeApi(kubeconfig: string): KubeApi {
  const { server, tls } = readKubeconfig(kubeconfig);
  const agent = new Agent({ keepAlive: true, maxSockets: 32, ...tls });
  const send = async (method: string, path: string, body?: object): Promise<unknown> => {
    const { status, text } = await exchange(agent, new URL(path, server), method, body);
    if (status === 404 && method !== "POST") return undefined;
    if (status >= 300) throw new KubeApiError(status, `${method} ${path}`, text);
    return JSON.parse(text);
  };
  return {
    server,
    get: async (path) => await send("GET", path),
    create: async (path, object) => await send("POST", path, object),
    patch: async (path, patch) => await send("PATCH", path, patch),
    remove: async (path, options = { propagationPolicy: "Background" }) =>
      void (await send("DELETE", path, options)),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

async function exchange(
  agent: Agent,
  url: URL,
  method: string,
  body: object | undefined,
): Promise<{ status: number; text: string }> {
  const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const options: RequestOptions = {
    method,
    agent,
    timeout: TIMEOUT_MS,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: {
      accept: "application/json",
      ...(bytes === undefined ? {} : { "content-type": type, "content-length": bytes.length }),
    },
  };
  return await new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.once("error", reject);
      response.once("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.once("error", reject);
    sent.end(bytes);
  });
}

function readKubeconfig(file: string) {
  const config = parse(readFileSync(file, "utf8")) as Kubeconfig; // what is missing is named below
  const context = config.contexts.find(({ name }) => name === config["current-context"])?.context;
  const cluster = config.clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users.find(({ name }) => name === context?.user)?.user;
  if (cluster?.["server"] === undefined || user === undefined)
    throw new DevServerError(
      "kubeconfig",
      `${file}: the current context names no cluster with a server, or no user`,
    );
  const pem = (section: Readonly<Record<string, string>>, key: string) => {
    const inline = section[`${key}-data`];
    const named = section[key];
    return inline === undefined
      ? named === undefined
        ? undefined
        : readFileSync(named)
      : Buffer.from(inline, "base64");
  };
  const tls = {
    ca: pem(cluster, "certificate-authority"),
    cert: pem(user, "client-certificate"),
    key: pem(user, "client-key"),
  };
  return { server: new URL(cluster["server"]), tls };
}
