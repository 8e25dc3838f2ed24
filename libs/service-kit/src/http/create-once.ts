/**
 * An endpoint that creates something at most once per Idempotency-Key (I2): the answer's row is part of the thing's own
 * transaction, so a repetition, also at the same moment or after a restart, gets the first one's answer and creates nothing.
 */
import { AiepError, type RouteDefinition } from "@aiep/contracts";
import type * as z from "zod";
import type { Principal } from "../auth/principal.ts";
import type { Sql } from "../sql/sql.ts";
import { fingerprintOf, type Idempotency, type IdempotencyRequest } from "./idempotency.ts";

export interface CreateOnceDeps {
  readonly idempotency: Idempotency;
  readonly clock: () => Date;
}

interface CreateOnce<Made, View> {
  readonly route: RouteDefinition & { readonly response: z.ZodType<View> };
  readonly request: { readonly principal: Principal; readonly idempotencyKey: string | undefined };
  /** What makes two requests the same: the body, and what the path says. */
  readonly content: unknown;
  readonly view: (made: Made) => View;
  /** Creates it; `also` gives the statements of the same transaction. */
  readonly perform: (also: (made: Made) => readonly Sql[]) => Promise<Made>;
}

export async function createOnce<Made, View>(
  { idempotency, clock }: CreateOnceDeps,
  { route, request, content, view, perform }: CreateOnce<Made, View>,
): Promise<{ readonly body: View; readonly replayed: boolean }> {
  const { principal, idempotencyKey: key } = request;
  if (key === undefined) return { body: view(await perform(() => [])), replayed: false };
  const once: IdempotencyRequest = {
    user: principal.user,
    route: route.operationId,
    key,
    fingerprint: fingerprintOf(content),
  };
  let body: View | undefined;
  const answerOf = (made: Made) => {
    body ??= view(made);
    return { status: route.status, body };
  };
  const { answer, replayed } = await idempotency.once(once, async () =>
    answerOf(await perform((made) => [idempotency.insert(once, answerOf(made), clock())])),
  );
  if (!replayed && body !== undefined) return { body, replayed };
  const stored = route.response.safeParse(answer.body);
  if (!stored.success)
    throw new AiepError("INTERNAL", "The stored answer of this Idempotency-Key cannot be read.", {
      cause: stored.error,
    });
  return { body: stored.data, replayed };
}
