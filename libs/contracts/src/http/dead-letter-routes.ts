/** What an administrator does with a service's dead letters (D9): the same for every service, under its own name. */
import { deadLetterView, page } from "./common.ts";
import { deadLetterParams, deadLettersQuery, define, nothing, type ServiceName } from "./define-route.ts";

export const listDeadLetters = <const Id extends string, const Service extends ServiceName>(
  operationId: Id,
  service: Service,
) =>
  define({
    operationId,
    service,
    method: "GET",
    path: `/v1/admin/${service}/dead-letters`,
    summary: `Dead letters of ${service}, oldest first.`,
    admin: true,
    query: deadLettersQuery,
    status: 200,
    response: page(deadLetterView),
  });

export const redriveDeadLetter = <const Id extends string, const Service extends ServiceName>(
  operationId: Id,
  service: Service,
) =>
  define({
    operationId,
    service,
    method: "POST",
    path: `/v1/admin/${service}/dead-letters/{id}/redrive`,
    summary: "Handle a dead letter again.",
    admin: true,
    params: deadLetterParams,
    body: nothing,
    status: 200,
    response: deadLetterView,
    errors: ["DEAD_LETTER_NOT_FOUND"],
  });
