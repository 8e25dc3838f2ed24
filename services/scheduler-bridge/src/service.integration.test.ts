import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bridge, type BridgeGround, layBridgeGround } from "./testing/bridge.ts";

describe("scheduler-bridge as its callers meet it", () => {
  let ground: BridgeGround;
  let bridge: Bridge;
  beforeAll(async () => {
    ground = await layBridgeGround();
    bridge = await ground.start();
  });
  afterAll(async () => {
    await bridge?.[Symbol.asyncDispose]();
    await ground?.[Symbol.asyncDispose]();
  });

  it("says what it is, and lists dead letters to administrators alone", async () => {
    const version = await fetch(`${bridge.url}/version`);
    expect(await version.json()).toMatchObject({ service: "scheduler-bridge" });
    expect((await bridge.ok("listScheduleDeadLetters", { user: "root" })).body.items).toEqual([]);
    expect(await bridge.refused("listScheduleDeadLetters")).toMatchObject({ code: "FORBIDDEN" });
  });

  it("stops cleanly, and starts again on the same database", async () => {
    const second = await ground.start();
    expect(await second.stop()).toBe(0);
  });
});
