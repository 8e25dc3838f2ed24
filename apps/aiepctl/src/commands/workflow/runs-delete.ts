import { ROUTES, runView } from "@aiep/contracts";
import { deletion } from "../../cli/deletion.ts";
import { runIdOf } from "../../workflows/ids.ts";

export const remove = deletion({
  idsOf: ({ args }) => args.map(runIdOf),
  param: "run_id",
  find: ROUTES.getRun,
  view: runView,
  remove: ROUTES.deleteRun,
  words: ({ experiment_name, version_name, run_date, state }) => [
    experiment_name,
    version_name,
    run_date,
    state,
  ],
  question: (count) =>
    `Delete ${count === 1 ? "this run and the records of its nodes" : `these ${count} runs and the records of their nodes`}?`,
});
