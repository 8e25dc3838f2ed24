/** `node scripts/with-node24.mjs FILE ARGS…`: runs a TypeScript file under Node 24, whatever Node this is. */
import { runWithNode24 } from "./lib/node24.mjs";

const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write("usage: node scripts/with-node24.mjs FILE [ARGUMENT…]\n");
  process.exit(2);
}
runWithNode24(file, args);
