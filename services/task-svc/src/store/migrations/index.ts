/** Migrations in order. A released one never changes; a change is a new one at the end. */
import { Tasks } from "./m0001-tasks.ts";

export const MIGRATIONS = [{ name: "0001-tasks", class: Tasks }];
