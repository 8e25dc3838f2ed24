/**
 * Webhooks of published flows: trigger, wait, cancel, the time (D27). Their callers are shell scripts: who asks for text/plain gets
 * lines of a word, a blank and the rest (schedulers/wtss/package/protocol.ts).
 */
import { ROUTES, type TriggerAnswer, type WaitAnswer } from "@aiep/contracts";
import { registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import { printable } from "../domain/run-lines.ts";
import {
  MAX_WEBHOOK_BYTES,
  receiveTrigger,
  replayDelivery,
  type TriggerDeps,
  type Triggered,
} from "../operations/receive-trigger.ts";
import { cancelByHolder, type News, type WaitDeps, waitForFire } from "../operations/wait-for-fire.ts";
import { deliveryView } from "../store/webhooks.ts";
import { contextOf } from "./context.ts";

const TOKEN_HEADER = "aiep-wait-token";

export type TriggerRouteDeps = TriggerDeps & WaitDeps;

export function registerTriggerRoutes(app: FastifyInstance, deps: TriggerRouteDeps): void {
  registerRoute(
    app,
    ROUTES.receiveTrigger,
    async (request) => {
      const { params, raw } = request;
      const triggered = await receiveTrigger(deps, {
        publicationId: params.publication_id,
        headers: raw.raw.headersDistinct,
        body: Buffer.isBuffer(raw.body) ? raw.body : Buffer.alloc(0),
        context: contextOf(request),
      });
      const body = triggerAnswer(triggered);
      return { body, text: linesOf(Object.entries(body)) };
    },
    { bodyBytes: MAX_WEBHOOK_BYTES },
  );

  registerRoute(app, ROUTES.waitForFire, async ({ params, query, raw, signal }) => {
    const holder = { id: params.fire_id, token: tokenOf(raw.headers[TOKEN_HEADER]) };
    const { after, wait_seconds: seconds } = query;
    return answer(await waitForFire(deps, holder, { after, seconds }, signal));
  });

  registerRoute(app, ROUTES.cancelFire, async (request) => {
    const { params, body, raw } = request;
    const holder = { id: params.fire_id, token: tokenOf(raw.headers[TOKEN_HEADER]) };
    const reason = body.reason ?? "The published flow was told to end.";
    return answer(await cancelByHolder(deps, holder, reason, contextOf(request)));
  });

  registerRoute(app, ROUTES.getTime, async (_, reply) => {
    const seconds = Math.floor(deps.clock().getTime() / 1000);
    await reply.type("text/plain; charset=utf-8").header("cache-control", "no-store").send(`${seconds}\n`);
    return undefined;
  });

  registerRoute(app, ROUTES.listDeliveries, async ({ query }) => {
    const { items, nextCursor } = await deps.webhooks.deliveries(query);
    return { body: { items: items.map(deliveryView), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.replayDelivery, async (request) => {
    const seq = Number(request.params.id);
    await replayDelivery(deps, await deps.webhooks.deliveryBySeq(seq), contextOf(request));
    return { body: deliveryView(await deps.webhooks.deliveryBySeq(seq)) };
  });
}

function tokenOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === "string" ? header : undefined;
}

function triggerAnswer({ fire, runId, state, ...answered }: Triggered): TriggerAnswer {
  return {
    fire_id: fire.id,
    run_id: runId,
    state,
    wait_url: answered.waitUrl,
    wait_token: answered.waitToken,
    link: answered.link,
    message: answered.message,
  };
}

function answer({ fire, lines, after, end }: News) {
  const texts = lines.map(({ text }) => text);
  const body: WaitAnswer = {
    fire_id: fire.id,
    run_id: fire.runId,
    state: fire.state,
    lines: texts,
    after,
    end,
  };
  const ended: [string, string][] =
    end === null ? [] : [["end", `${end.succeeded ? "succeeded" : "failed"} ${end.message}`]];
  const text = linesOf([
    ...texts.map((line): [string, string] => ["line", line]),
    ["after", String(after)],
    ["state", fire.state],
    ...ended,
  ]);
  return { body, text };
}

const linesOf = (pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([word, rest]) => `${word} ${printable(rest)}\n`).join("");
