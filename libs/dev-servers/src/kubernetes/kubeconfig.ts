/** Kubeconfigs of test clusters: where the API server is, and credentials by certificate or token, inline or in files. */
import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { DevServerError } from "../errors.ts";

type Section = Readonly<Record<string, string>>;

interface Kubeconfig {
  readonly "current-context": string;
  readonly contexts: readonly {
    readonly name: string;
    readonly context: { readonly cluster: string; readonly user: string };
  }[];
  readonly clusters: readonly { readonly name: string; readonly cluster: Section }[];
  readonly users: readonly { readonly name: string; readonly user: Section }[];
}

export interface Access {
  readonly server: URL;
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly token: string | undefined;
}

export function readAccess(file: string): Access {
  const config = parse(readFileSync(file, "utf8")) as Kubeconfig; // what is missing is named below
  const context = config.contexts.find(({ name }) => name === config["current-context"])?.context;
  const cluster = config.clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users.find(({ name }) => name === context?.user)?.user;
  if (cluster?.["server"] === undefined || user === undefined)
    throw new DevServerError(
      "kubeconfig",
      `${file}: the current context names no cluster with a server, or no user`,
    );
  const token = user["token"] ?? (user["tokenFile"] && readFileSync(user["tokenFile"], "utf8").trim());
  return {
    server: new URL(cluster["server"]),
    ca: pem(cluster, "certificate-authority"),
    cert: pem(user, "client-certificate"),
    key: pem(user, "client-key"),
    token: token || undefined,
  };
}

function pem(section: Section, key: string): Buffer | undefined {
  const inline = section[`${key}-data`];
  if (inline !== undefined) return Buffer.from(inline, "base64");
  const file = section[key];
  return file === undefined ? undefined : readFileSync(file);
}

/** The text of a kubeconfig with one context, whose user has a token or nothing. */
export function kubeconfigText({
  server,
  ca,
  token,
}: Pick<Access, "ca" | "token"> & { readonly server: string }) {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    clusters: [
      { name: "test", cluster: { server, "certificate-authority-data": ca?.toString("base64") ?? "" } },
    ],
    users: [{ name: "test", user: token === undefined ? {} : { token } }],
  });
}
