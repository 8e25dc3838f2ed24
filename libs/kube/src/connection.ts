/**
 * Where the API server is and how one proves who one is. @kubernetes/client-node reads kubeconfigs, in-cluster
 * accounts and exec plug-ins; it costs some 80 MB of memory, so it is loaded here and nowhere else. Requests go over
 * one shared keep-alive agent: the library's own calls open a connection each.
 */
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
/** Tokens of service accounts are renewed on disk long before they expire. */
const HEADERS_AGE_MS = 60_000;

/** By the kubeconfig named, otherwise by the pod's own service account. */
export async function connect(
  kubeconfig: string | undefined,
  { maxSockets = MAX_SOCKETS }: { readonly maxSockets?: number } = {},
): Promise<Connection> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromCluster();
  else config.loadFromFile(kubeconfig);
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
  const common = { keepAlive: true, maxSockets, scheduling: "lifo" } as const;
  const proxied = cluster.proxyUrl !== undefined && options.agent instanceof http.Agent;
  const own = server.protocol === "https:" ? new https.Agent({ ...common, ...tls }) : new http.Agent(common);
  let known: { readonly at: number; readonly headers: Record<string, string> } | undefined;
  return {
    server,
    agent: proxied && options.agent instanceof http.Agent ? options.agent : own,
    headers: async () => {
      if (known !== undefined && performance.now() - known.at < HEADERS_AGE_MS) return known.headers;
      const fresh: https.RequestOptions = {};
      await config.applyToHTTPSOptions(fresh);
      known = { at: performance.now(), headers: headersOf(fresh) };
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
