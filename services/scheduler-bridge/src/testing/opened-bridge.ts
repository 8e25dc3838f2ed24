/** scheduler-bridge for a whole test file: opened where the file begins, closed after its last test. */
import { afterAll } from "vitest";
import { type Bridge, type BridgeGround, layBridgeGround } from "./bridge.ts";

/** To be awaited at the top of the file; `env` as of the replica's start. */
export async function openBridge(
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly ground: BridgeGround; readonly bridge: Bridge }> {
  const ground = await layBridgeGround();
  afterAll(async () => await ground[Symbol.asyncDispose]());
  return { ground, bridge: await ground.start(env) };
}
