/** `npm test`: from a fresh checkout with any Node and npm to the tests under Node 24 (run-tests.ts). */
import { join } from "node:path";
import { root, runWithNode24 } from "./lib/node24.mjs";

runWithNode24(join(root, "scripts/run-tests.ts"), process.argv.slice(2));
