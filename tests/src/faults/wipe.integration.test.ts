/** The bus loses everything it kept; the truth is elsewhere (D5). */
import { expect, it } from "vitest";
import { checkHistory } from "../history/check.ts";
import { comeToRest, readHistory } from "../history/read.ts";
import { withRig } from "../rig/rig.ts";
import { submitLoad } from "./load.ts";

it("I5 I6: with the NATS store wiped while it was stopped, the stream is rebuilt and consumers converge from outbox and state", async () => {
  await withRig({}, async (rig) => {
    const before = await submitLoad(rig, { tasks: 12, seed: 1 });
    await comeToRest(rig, 60_000, "everything");
    await rig.kill9("log-svc");
    const unseen = await submitLoad(rig, { tasks: 6, seed: 2 });
    await comeToRest(rig, 60_000, "tasks"); // published, and never seen by log-svc
    await rig.nats.stop();
    await rig.nats.wipeStore();
    const meanwhile = await submitLoad(rig, { tasks: 6, seed: 3 });
    await rig.nats.start();
    await rig.topology();
    await rig.start("log-svc");
    const after = await submitLoad(rig, { tasks: 6, seed: 4 });
    await comeToRest(rig, 90_000, "everything");
    const parts = [before, unseen, meanwhile, after];
    const history = await readHistory(rig, {
      accepted: parts.flatMap(({ accepted }) => accepted),
      expected: new Map(parts.flatMap(({ expected }) => [...expected])),
    });
    expect(history.tasks).toHaveLength(30);
    expect(checkHistory(history)).toEqual([]);
  });
}, 200_000);
