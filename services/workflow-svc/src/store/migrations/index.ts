/** Migrations in order. A released one never changes; a change is a new one at the end. */
import { Runs } from "./m0001-runs.ts";

export const MIGRATIONS = [{ name: "0001-runs", class: Runs }];
