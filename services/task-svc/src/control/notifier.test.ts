import { taskId } from "@aiep/contracts";
import { expect, test } from "vitest";
import { createTaskNotifier } from "./notifier.ts";

const id = taskId.parse("0123456789abcdef0123456789abcdef");

test("a version that was told is not told again, e.g. when it comes back over the bus", () => {
  const notifier = createTaskNotifier();
  const heard: number[] = [];
  notifier.onAny(({ version }) => heard.push(version));
  for (const version of [1, 1, 2, 1, 2, 4, 3]) notifier.changed({ taskId: id, version });
  expect(heard).toEqual([1, 2, 4]);
});
