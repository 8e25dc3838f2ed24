/** What a command that talks to the platform works with: settings, the API, and the signal that ends it. */
import { loadSettings, type Settings } from "../config/settings.ts";
import { createTokenSource } from "../config/token.ts";
import { Api } from "../http/api.ts";
import { createTransport } from "../http/transport.ts";
import type { CommandContext } from "./command.ts";
import { Interrupts } from "./interrupts.ts";
import { VERSION } from "./version.ts";

export interface Session {
  readonly context: CommandContext;
  readonly api: Api;
  readonly settings: Settings;
  readonly interrupts: Interrupts;
  readonly signal: AbortSignal;
  readonly onRetry: (message: string) => void;
}

export async function withSession(
  context: CommandContext,
  work: (session: Session) => Promise<number>,
): Promise<number> {
  const { terminal, shell } = context;
  const settings = await loadSettings(context.options, shell);
  for (const warning of settings.warnings) terminal.err(`Warning: ${warning}\n`);
  if (terminal.verbosity > 0)
    terminal.err(
      `context ${settings.contextName ?? "(none)"} from ${settings.source}, server ${settings.server.origin}\n`,
    );
  const transport = createTransport({ caFile: settings.caFile, insecure: settings.insecure, terminal });
  const onRetry = (message: string) => terminal.say(terminal.styleErr("dim", message));
  const tokens = createTokenSource(settings.credentials, () => shell.now());
  const api = new Api({ settings, transport, tokens, userAgent: `aiepctl/${VERSION}`, onRetry });
  const interrupts = new Interrupts();
  try {
    return await work({ context, api, settings, interrupts, signal: interrupts.signal, onRetry });
  } catch (error) {
    if (interrupts.exitCode !== undefined) return interrupts.exitCode;
    throw error;
  } finally {
    terminal.clearStatus();
    interrupts[Symbol.dispose]();
    transport.close();
  }
}
