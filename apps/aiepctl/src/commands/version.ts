/** `version`: loads nothing it does not need; the bundled start-up time is a promise. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { API_VERSION } from "@aiep/contracts";
import type { CommandContext } from "../cli/command.ts";
import { EXIT } from "../cli/errors.ts";
import { COMMIT, VERSION } from "../cli/version.ts";
import type { ServerVersion } from "../http/server-version.ts";

type Server = ServerVersion | { readonly address: string; readonly error: string };

export async function run(context: CommandContext): Promise<number> {
  const { options } = context;
  const client = {
    version: VERSION,
    git_commit: COMMIT ?? (await commitOfCheckout()),
    api: API_VERSION,
    node: process.versions.node,
  };
  const server = options.flag("client") ? undefined : await askServer(context);
  const raw = { client, ...(server === undefined ? {} : { server }) };
  const format = options.text("output") ?? "table";
  if (format === "table" || format === "wide") context.terminal.out(render(client, server));
  else
    await (await import("../terminal/output.ts")).show(context, { raw, names: [VERSION], human: () => "" });
  return EXIT.ok;
}

async function askServer(context: CommandContext): Promise<Server | undefined> {
  const { anyConfiguration } = await import("../config/present.ts");
  if (!(await anyConfiguration(context.options, context.shell))) return undefined;
  return (await import("../http/server-version.ts")).serverVersion(context);
}

function render(
  client: { version: string; git_commit: string; api: string; node: string },
  server: Server | undefined,
): string {
  const lines = [
    `aiepctl version ${client.version}`,
    `git commit: ${client.git_commit}`,
    `API: ${client.api}`,
    `node: ${client.node}`,
  ];
  if (server === undefined) return `${lines.join("\n")}\n`;
  if ("error" in server) lines.push(`server: ${server.address} (${server.error})`);
  else {
    lines.push(
      `server: ${server.address} ${server.version === null ? "reachable" : `version ${server.version}, API ${server.api}`}`,
    );
    if (server.version !== null && newerMinor(server.version, client.version))
      lines.push("The server is newer than this program; consider an update.");
  }
  return `${lines.join("\n")}\n`;
}

function newerMinor(server: string, client: string): boolean {
  const [a = 0, b = 0] = server.split(".").map(Number);
  const [c = 0, d = 0] = client.split(".").map(Number);
  return a > c || (a === c && b > d);
}

/** Run from source: the checkout knows its commit. */
async function commitOfCheckout(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)("git", ["rev-parse", "--short=12", "HEAD"], {
      cwd: import.meta.dirname,
      timeout: 2_000,
    });
    return stdout.trim();
  } catch {
    return "unknown";
  }
}
