/** Migrations in order. A released one never changes; a change is a new one at the end. */
import { Runs } from "./m0001-runs.ts";
import { Experiments } from "./m0002-experiments.ts";
import { RunRemoval } from "./m0003-run-removal.ts";

export const MIGRATIONS = [
  { name: "0001-runs", class: Runs },
  { name: "0002-experiments", class: Experiments },
  { name: "0003-run-removal", class: RunRemoval },
];
