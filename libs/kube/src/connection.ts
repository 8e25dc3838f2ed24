/**
 * Where the API server is and how one proves who one is. @kubernetes/client-node reads kubeconfigs and exec plug-ins; it
 * costs some 80 MB of memory, so it is loaded here and nowhere else, and not at all in a pod, whose own account is two
 * files. Requests go over one shared keep-alive agent: the library's own calls open a connection each.
 */
import { readFile } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";

export interface Connection {
  readonly server: URL;
  readonly agent: http.Agent;
  /** Authentication; fresh after `renew`. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** After a 401. */
  renew(): void;
}

const MAX_SOCKETS = 64;
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
/** Tokens of service accounts are renewed on disk long before they expire. */
const HEADERS_AGE_MS = 60_000;

/** By the kubeconfig named, otherwise by the pod's own service account. */
export async function connect(
  kubeconfig: string | undefined,
  { maxSockets = MAX_SOCKETS }: { readonly maxSockets?: number } = {},
): Promise<Connection> {
  if (kubeconfig === undefined) return await connectInCluster({ maxSockets });
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error("the kubeconfig's current context names no cluster");
  const server = new URL(cluster.server);
  const options: https.RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, servername, rejectUnauthorized } = options;
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, servername, rejectUnauthorized }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const common = agentOptions(maxSockets);
  const proxied = cluster.proxyUrl !== undefined && options.agent instanceof http.Agent;
  const own = server.protocol === "https:" ? new https.Agent({ ...common, ...tls }) : new http.Agent(common);
  return {
    server,
    agent: proxied && options.agent instanceof http.Agent ? options.agent : own,
    ...remembered(async () => {
      const fresh: https.RequestOptions = {};
      await config.applyToHTTPSOptions(fresh);
      return headersOf(fresh);
    }),
  };
}

interface InCluster {
  readonly maxSockets?: number;
  /** Default: what the kubelet puts into every pod. */
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly folder?: string;
}

/** As the pod's own service account. */
export async function connectInCluster({
  maxSockets = MAX_SOCKETS,
  host = process.env["KUBERNETES_SERVICE_HOST"],
  port = process.env["KUBERNETES_SERVICE_PORT"],
  folder = SERVICE_ACCOUNT,
}: InCluster = {}): Promise<Connection> {
  if (!host || !port) throw new Error("this is no pod of a cluster: give a kubeconfig (KUBECONFIG)");
  const ca = await readFile(`${folder}/ca.crt`);
  return {
    server: new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`),
    agent: new https.Agent({ ...agentOptions(maxSockets), ca }),
    // The kubelet renews the token's file.
    ...remembered(async () => ({
      Authorization: `Bearer ${(await readFile(`${folder}/token`, "utf8")).trim()}`,
    })),
  };
}

const agentOptions = (maxSockets: number) => ({ keepAlive: true, maxSockets, scheduling: "lifo" }) as const;

/** Credentials are read again when they are a minute old, or were refused. */
function remembered(read: () => Promise<Record<string, string>>): Pick<Connection, "headers" | "renew"> {
  let known: { readonly at: number; readonly headers: Record<string, string> } | undefined;
  return {
    headers: async () => {
      if (known === undefined || performance.now() - known.at >= HEADERS_AGE_MS)
        known = { at: performance.now(), headers: await read() };
      return known.headers;
    },
    renew: () => {
      known = undefined;
    },
  };
}

function headersOf({ headers, auth }: https.RequestOptions): Record<string, string> {
  const found: Record<string, string> = {};
  if (headers !== undefined && !Array.isArray(headers))
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) found[name] = String(value);
  if (auth != null) found["Authorization"] = `Basic ${Buffer.from(auth).toString("base64")}`;
  return found;
}
