/**
 * What a caller shows when it waits for its run or cancels it. Made from the secret that signed the trigger, so that a trigger
 * that is sent again gets the same token, in whatever order the answers come; kept as a hash alone.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { FireId } from "@aiep/contracts";
import { keyOf } from "./secret.ts";

/** Without the dots of a signed message: neither stands for the other. */
export function waitTokenOf(secret: string, fire: FireId): string {
  return createHmac("sha256", keyOf(secret)).update(`wait token of fire ${fire}`).digest("base64url");
}

export const hashOfToken = (token: string): string => createHash("sha256").update(token).digest("hex");

export function isTokenOf(hash: string, token: string): boolean {
  const [left, right] = [Buffer.from(hash), Buffer.from(hashOfToken(token))];
  return left.length === right.length && timingSafeEqual(left, right);
}
