/**
 * Waiting for a fire's run, and ending it, by who holds the token that the trigger gave. Every wait renews the lease: a flow
 * that was killed over there asks no more, and its run is stopped (I9).
 */
import { AiepError, type FireId, fireId, isLiveFire } from "@aiep/contracts";
import { type Changes, watchChanges } from "@aiep/service-kit";
import { cancelOnce } from "../control/cancel-fire.ts";
import type { Fire } from "../domain/fire.ts";
import { printable, type RunLine } from "../domain/run-lines.ts";
import { isTokenOf } from "../domain/webhook/index.ts";
import type { FireStore } from "../store/fire-store.ts";
import type { ChangeContext } from "../store/outbox.ts";
import type { WaitStore } from "../store/waits.ts";

export interface WaitDeps {
  readonly fires: FireStore;
  readonly waits: WaitStore;
  /** Of fires and of their lines, as they are committed. */
  readonly fireNews: Changes<FireId>;
  readonly clock: () => Date;
}

export interface News {
  readonly fire: Fire;
  readonly lines: readonly RunLine[];
  /** Number of the last line given. */
  readonly after: number;
  readonly end: { readonly succeeded: boolean; readonly message: string } | null;
}

const LINES = 500;

/** Throws FIRE_NOT_FOUND also for a wrong token: who does not hold it learns nothing. */
export async function waitForFire(
  deps: WaitDeps,
  { id: written, token }: { readonly id: string; readonly token: string | undefined },
  { after, seconds }: { readonly after: number; readonly seconds: number },
  signal: AbortSignal,
): Promise<News> {
  const id = await holderOf(deps, written, token);
  const until = AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]);
  using watch = watchChanges(deps.fireNews, id, until);
  await deps.waits.renew(id);
  for (;;) {
    const news = await newsOf(deps, id, after);
    if (news.lines.length > 0 || news.end !== null || !(await watch.changed())) return news;
  }
}

/** Idempotent; what ended stays as it is. */
export async function cancelByHolder(
  deps: WaitDeps,
  { id: written, token }: { readonly id: string; readonly token: string | undefined },
  reason: string,
  context: ChangeContext,
): Promise<News> {
  const id = await holderOf(deps, written, token);
  await cancelOnce(deps, id, reason, { context });
  return await newsOf(deps, id, Number.MAX_SAFE_INTEGER);
}

async function holderOf({ waits }: WaitDeps, written: string, token: string | undefined): Promise<FireId> {
  const id = fireId.safeParse(written);
  const hash = id.success ? await waits.tokenHash(id.data) : undefined;
  if (id.success && hash !== undefined && token !== undefined && isTokenOf(hash, token)) return id.data;
  throw new AiepError("FIRE_NOT_FOUND", `There is no fire ${written} for this wait token.`);
}

/** The fire is read before its lines: an end is only told with every line before it. */
async function newsOf({ fires, waits }: WaitDeps, id: FireId, after: number): Promise<News> {
  const fire = await fires.get(id);
  if (fire === undefined) throw new AiepError("FIRE_NOT_FOUND", `There is no fire ${id}.`);
  const lines = await waits.lines(id, after, LINES);
  const whole = lines.length < LINES;
  return {
    fire,
    lines,
    after: lines.at(-1)?.number ?? (after === Number.MAX_SAFE_INTEGER ? 0 : after),
    end: whole && !isLiveFire(fire.state) ? endOf(fire) : null,
  };
}

function endOf({ state, runId, message }: Fire): NonNullable<News["end"]> {
  const because = message === null || message === "" ? "" : `: ${message}`;
  const what = runId === null ? "No run was started" : `Run ${runId} ended as ${state}`;
  return { succeeded: state === "Succeeded", message: printable(`${what}${because}`) };
}
