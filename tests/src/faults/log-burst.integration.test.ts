/** Logs that a task should not write, written by a real one and read through the API. */
import { waitFor } from "@aiep/dev-servers";
import { expect, it } from "vitest";
import { checkHistory } from "../history/check.ts";
import { comeToRest, readHistory } from "../history/read.ts";
import { withRig } from "../rig/rig.ts";

const LINES = 200_000;
const MEGABYTE = 1024 * 1024;

it("I8: 200 000 lines in one burst arrive once and in order, and a line of 1 MB in pieces that are marked", async () => {
  await withRig({}, async (rig) => {
    const burst = await rig.submit({
      key: "burst",
      command: `python3 -c 'for i in range(${LINES}): print("line", i)'`,
    });
    const long = await rig.submit({ key: "long", command: `python3 -c 'print("x" * ${MEGABYTE})'` });
    await comeToRest(rig, 60_000, "everything");
    const history = await readHistory(rig, {
      accepted: [
        { key: "burst", taskId: burst.id },
        { key: "long", taskId: long.id },
      ],
      expected: new Map([["burst", { lines: LINES, end: "Succeeded" }]]),
    });
    expect(checkHistory(history)).toEqual([]);
    const pieces = await waitFor("the long line", async () => {
      const page = await rig.client.call("readLogs", { params: { task_id: long.id } });
      const own = page.items.flatMap((item) =>
        item.kind === "line" && item.source === "user" ? [item] : [],
      );
      return own.length > 0 ? own : undefined;
    });
    expect(pieces.map(({ text }) => text).join("")).toBe("x".repeat(MEGABYTE));
    expect(pieces.map(({ partial }) => partial)).toEqual(pieces.map((_, at) => at < pieces.length - 1));
  });
});
