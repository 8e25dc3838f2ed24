/** What runs at the configured address; asked once and briefly. */
import { type RouteDefinition, versionView } from "@aiep/contracts";
import * as z from "zod";
import type { CommandContext } from "../cli/command.ts";
import { VERSION } from "../cli/version.ts";
import { loadSettings } from "../config/settings.ts";
import { AnswerError, Api, reasonOf } from "./api.ts";
import { createTransport } from "./transport.ts";

export interface ServerVersion {
  readonly address: string;
  /** null: something answers, but does not say its version. */
  readonly version: string | null;
  readonly api: string | null;
  readonly git_commit: string | null;
}

/** Outside the contracts' routes: every service answers it beside its health checks (D30). */
const VERSION_ROUTE = {
  operationId: "version",
  service: "task-svc",
  method: "GET",
  path: "/version",
  summary: "Version.",
  status: 200,
} as const satisfies RouteDefinition;
const ASK_MS = 2_000;

export async function serverVersion(
  context: CommandContext,
): Promise<ServerVersion | { address: string; error: string }> {
  const settings = { ...(await loadSettings(context.options, context.shell)), retryForMs: 0 };
  const transport = createTransport({
    caFile: settings.caFile,
    insecure: settings.insecure,
    terminal: context.terminal,
  });
  const tokens = { token: () => Promise.resolve(undefined), forget: () => undefined };
  const api = new Api({
    settings,
    transport,
    tokens,
    userAgent: `aiepctl/${VERSION}`,
    onRetry: () => undefined,
  });
  const address = settings.server.origin;
  try {
    const { data } = await api.call(VERSION_ROUTE, z.unknown(), {
      signal: AbortSignal.timeout(ASK_MS),
      timeoutMs: ASK_MS,
    });
    const view = versionView.safeParse(data);
    if (!view.success) return { address, version: null, api: null, git_commit: null };
    const { version, api: spoken, git_commit } = view.data;
    return { address, version, api: spoken, git_commit };
  } catch (error) {
    if (error instanceof AnswerError && error.status < 500)
      return { address, version: null, api: null, git_commit: null };
    return {
      address,
      error:
        error instanceof Error && "why" in error && typeof error.why === "string"
          ? error.why
          : reasonOf(error),
    };
  } finally {
    transport.close();
  }
}
