/** Migrations in order. A released one never changes; a change is a new one at the end. */
import { Tasks } from "./m0001-tasks.ts";
import { CodePackageUse } from "./m0002-code-package-use.ts";
import { TaskOutputs } from "./m0003-task-outputs.ts";

export const MIGRATIONS = [
  { name: "0001-tasks", class: Tasks },
  { name: "0002-code-package-use", class: CodePackageUse },
  { name: "0003-task-outputs", class: TaskOutputs },
];
