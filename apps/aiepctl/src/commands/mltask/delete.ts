import { ROUTES, taskView } from "@aiep/contracts";
import { deletion } from "../../cli/deletion.ts";
import { taskIds } from "../../tasks/task-ids.ts";

export const remove = deletion({
  idsOf: taskIds,
  param: "task_id",
  find: ROUTES.getTask,
  view: taskView,
  remove: ROUTES.deleteTask,
  words: ({ name, state }) => [name, state],
  question: (count) =>
    `Delete ${count === 1 ? "this task with its logs" : `these ${count} tasks with their logs`}?`,
});
