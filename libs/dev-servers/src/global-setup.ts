import { setUpTestDatabase } from "./shared-database.ts";

/** Vitest's `globalSetup` of every integration project. */
export default setUpTestDatabase;
