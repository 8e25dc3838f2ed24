import { describe, expect, it } from "vitest";
import { openBridge } from "./testing/opened-bridge.ts";

const { ground, bridge } = await openBridge();

describe("scheduler-bridge as its callers meet it", () => {
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
