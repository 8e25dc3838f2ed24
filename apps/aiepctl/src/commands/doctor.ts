/** `doctor`: one check after another, each passed, doubtful or failed, and for what is wrong what to do. */
import { lookup } from "node:dns/promises";
import {
  API_VERSION,
  ROUTES,
  runtimeView,
  schedulerView,
  type WhoamiView,
  whoamiView,
} from "@aiep/contracts";
import * as z from "zod";
import type { CommandContext } from "../cli/command.ts";
import { CliError, EXIT } from "../cli/errors.ts";
import { withSession } from "../cli/session.ts";
import { loadSettings, type Settings } from "../config/settings.ts";
import { serverVersion } from "../http/server-version.ts";
import { show } from "../terminal/output.ts";

interface Finding {
  readonly check: string;
  readonly result: "pass" | "warn" | "fail";
  readonly detail: string;
  readonly fix?: string | undefined;
}

const ASK_MS = 5_000;
const CLOCK_SKEW_MS = 30_000;

export async function run(context: CommandContext): Promise<number> {
  const findings: Finding[] = [];
  const add = (check: string, result: Finding["result"], detail: string, fix?: string) =>
    findings.push({ check, result, detail, fix });
  add("node", "pass", `Node ${process.versions.node}`);
  const settings = await checkConfiguration(context, add);
  if (settings !== undefined && (await checkServer(context, settings, add))) {
    await checkAccount(context, add);
    await checkRuntime(context, add);
    await checkSchedulers(context, add);
  }
  const failed = findings.some(({ result }) => result === "fail");
  await show(context, {
    raw: { items: findings, next_cursor: null },
    names: findings.map(({ check, result }) => `${check} ${result}`),
    human: () => findings.map((finding) => render(context, finding)).join(""),
  });
  return failed ? EXIT.error : EXIT.ok;
}

type Add = (check: string, result: Finding["result"], detail: string, fix?: string) => unknown;

async function checkConfiguration(
  { options, shell }: CommandContext,
  add: Add,
): Promise<Settings | undefined> {
  try {
    const settings = await loadSettings(options, shell);
    add(
      "configuration",
      "pass",
      `context ${settings.contextName ?? "(none)"} from ${settings.source}: ${settings.server.origin}`,
    );
    for (const warning of settings.warnings) add("configuration file", "warn", warning);
    if (settings.insecure) add("TLS", "warn", "certificates are not checked", "use --ca-file instead");
    const proxy = shell.env["HTTPS_PROXY"] ?? shell.env["https_proxy"];
    if (proxy !== undefined && proxy !== "")
      add(
        "proxy",
        "warn",
        "HTTPS_PROXY is set; aiepctl connects directly",
        "ask for a route without a proxy",
      );
    if (settings.credentials.kind === "none")
      add(
        "credentials",
        "fail",
        "the context says no way to get a token",
        "aiepctl config set token_file FILE",
      );
    return settings;
  } catch (error) {
    add("configuration", "fail", explain(error), hint(error));
    return undefined;
  }
}

async function checkServer(context: CommandContext, { server }: Settings, add: Add): Promise<boolean> {
  try {
    await lookup(server.hostname.replace(/^\[|\]$/g, ""));
  } catch {
    add(
      "host name",
      "fail",
      `${server.hostname} cannot be looked up`,
      "check the name, the DNS server and the network",
    );
    return false;
  }
  const found = await serverVersion(context);
  if ("error" in found) {
    const local = server.hostname === "127.0.0.1" || server.hostname === "localhost";
    add(
      "server",
      "fail",
      `${found.address} does not answer: ${found.error}`,
      local
        ? "npm run stack -- status says what is wrong; npm run stack -- up starts the stack"
        : "check the address, the network and a firewall in between",
    );
    return false;
  }
  if (found.version === null) add("server", "pass", `${found.address} answers`);
  else if (found.api === API_VERSION)
    add("server", "pass", `${found.address} answers, version ${found.version}, API ${found.api}`);
  else
    add(
      "server",
      "warn",
      `${found.address} speaks API ${found.api ?? "?"}, this program ${API_VERSION}`,
      "install the aiepctl of the server's version",
    );
  return true;
}

async function checkAccount(context: CommandContext, add: Add): Promise<void> {
  try {
    await withSession(context, async ({ api, signal }) => {
      const { data, headers } = await api.call(ROUTES.whoami, whoamiView, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]),
        timeoutMs: ASK_MS,
      });
      checkClock(headers.date, context.shell.now(), add);
      add("token", "pass", `accepted; you are ${data.user}`);
      checkGroups(data, add);
      return EXIT.ok;
    });
  } catch (error) {
    add("token", "fail", explain(error), hint(error));
  }
}

/** Where tasks run; what is missing there says itself who can do what about it. */
async function checkRuntime(context: CommandContext, add: Add): Promise<void> {
  try {
    await withSession(context, async ({ api, signal }) => {
      const { data } = await api.call(ROUTES.getRuntime, runtimeView, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]),
        timeoutMs: ASK_MS,
      });
      add(
        "tasks run",
        "pass",
        data.kind === "kubernetes" ? "on Kubernetes" : "on the platform's own machine",
      );
      for (const { name, status, message } of data.checks) add(name, status, message);
      return EXIT.ok;
    });
  } catch (error) {
    add("tasks run", "warn", explain(error), hint(error));
  }
}

const schedulersView = z.object({ items: z.array(schedulerView) });
/** Asking a scheduler logs in there. */
const ASK_SCHEDULER_MS = 20_000;

/** Where workflows are published; reads only. A scheduler that is away is a warning: our own part works. */
async function checkSchedulers(context: CommandContext, add: Add): Promise<void> {
  try {
    await withSession(context, async ({ api, signal }) => {
      const { data } = await api.call(ROUTES.listSchedulers, schedulersView, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_SCHEDULER_MS)]),
        timeoutMs: ASK_SCHEDULER_MS,
      });
      const known = data.items.map(({ kind, configured }) =>
        configured ? kind : `${kind} (not configured)`,
      );
      add("workflows are scheduled", "pass", `scheduler-bridge answers and knows: ${known.join(", ")}`);
      for (const { name, ok, message } of data.items.flatMap(({ checks }) => checks))
        add(name, ok ? "pass" : "warn", message);
      return EXIT.ok;
    });
  } catch (error) {
    add("workflows are scheduled", "warn", explain(error), hint(error));
  }
}

function checkClock(date: string | undefined, now: Date, add: Add): void {
  if (date === undefined) return;
  const skew = now.getTime() - Date.parse(date);
  if (Number.isNaN(skew) || Math.abs(skew) <= CLOCK_SKEW_MS) add("clock", "pass", "agrees with the server's");
  else
    add(
      "clock",
      "warn",
      `differs from the server's by ${Math.round(skew / 1_000)} s; tokens may be refused`,
      "set this machine's clock (NTP)",
    );
}

function checkGroups(me: WhoamiView, add: Add): void {
  if (me.groups.length === 0) {
    add("groups", "fail", "you are in no group", "ask a platform administrator to add you to one");
    return;
  }
  for (const group of me.groups) {
    const spaces = group.namespaces.map(
      (each) =>
        `${each.name} (${each.used.cpu}/${each.quota.cpu} CPU, ${each.used.memory_gb}/${each.quota.memory_gb} GB used)`,
    );
    if (group.role === "viewer")
      add(
        "group",
        "warn",
        `${group.name} (${group.id}): you may only read`,
        "ask the group's administrator for the member role",
      );
    else if (spaces.length === 0)
      add(
        "group",
        "warn",
        `${group.name} (${group.id}) has no namespace`,
        "ask a platform administrator to bind one",
      );
    else add("group", "pass", `${group.name} (${group.id}): ${spaces.join(", ")}`);
  }
}

function explain(error: unknown): string {
  if (!(error instanceof CliError)) return error instanceof Error ? error.message : String(error);
  return `${error.message} (${error.code})${error.why === undefined ? "" : `: ${error.why}`}`;
}

function hint(error: unknown): string | undefined {
  return error instanceof CliError && error.hint !== "aiepctl doctor" ? error.hint : undefined;
}

function render({ terminal }: CommandContext, { check, result, detail, fix }: Finding): string {
  const style = result === "pass" ? "green" : result === "warn" ? "yellow" : "red";
  const line = `${terminal.styleOut(style, result)}  ${check}: ${detail}\n`;
  return fix === undefined ? line : `${line}      fix: ${fix}\n`;
}
