/** `npm run stack -- …` and `npm run quickstart`: from a fresh checkout with any Node and npm to src/main.ts. */
import { join } from "node:path";
import { root, runWithNode24 } from "../../../scripts/lib/node24.mjs";

runWithNode24(join(root, "deploy/local/src/main.ts"), process.argv.slice(2));
