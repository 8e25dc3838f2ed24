import { describe, expect, it } from "vitest";
import { Session } from "./session.ts";

const signal = new AbortController().signal;

describe("a session", () => {
  it("is logged in once for all who need it, and again once after it expired for all of them", async () => {
    let logins = 0;
    const session = new Session(async () => await Promise.resolve(`s${++logins}`));
    const first = await Promise.all(Array.from({ length: 20 }, async () => await session.get(signal)));
    expect(new Set(first).size).toBe(1);
    const again = await Promise.all(
      first.map(async (held) => {
        session.drop(held);
        return await session.get(signal);
      }),
    );
    expect(new Set(again.map(({ id }) => id))).toEqual(new Set(["s2"]));
    expect(logins).toBe(2);
  });

  it("that could not be had is asked for again by who comes next", async () => {
    let logins = 0;
    const session = new Session(async () => {
      logins += 1;
      if (logins === 1) throw new Error("down");
      return await Promise.resolve("s");
    });
    const failed = await Promise.allSettled([session.get(signal), session.get(signal)]);
    expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await session.get(signal)).toEqual({ id: "s" });
    expect(logins).toBe(2);
  });

  it("comes for others when one of those who wait leaves", async () => {
    const login = Promise.withResolvers<string>();
    const session = new Session(async () => await login.promise);
    const leaver = new AbortController();
    const left = session.get(leaver.signal);
    const stayed = session.get(signal);
    leaver.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    login.resolve("s");
    expect(await stayed).toEqual({ id: "s" });
    await expect(session.get(leaver.signal)).rejects.toThrow("gone");
  });
});
