/**
 * Webhooks of published flows (D27). Pure: time and randomness come in.
 *
 *   secret.ts      the secrets of a publication, two valid while one replaces the other
 *   signature.ts   Standard Webhooks over raw bytes: verify, sign
 *   order.ts       what the body asks for
 *   wait-token.ts  what a caller shows when it waits
 */
export { readRunDate, readTriggerOrder, type TriggerOrder } from "./order.ts";
export {
  newWebhookSecret,
  SECRET_BYTES,
  validSecrets,
  type WebhookSecret,
} from "./secret.ts";
export {
  signWebhook,
  verifyWebhook,
  type WebhookRequest,
} from "./signature.ts";
export { hashOfToken, isTokenOf, waitTokenOf } from "./wait-token.ts";
