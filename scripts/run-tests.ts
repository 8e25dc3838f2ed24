/*
 * The tests, under Node 24: gets the servers they start, runs Vitest with the arguments given and ends with a plain line for
 * each failure and one for all, `N passed, N failed`. A name, such as `npm test -- task-svc`, selects the projects that begin with it; every other
 * argument is Vitest's own. Fails when a test failed, when a file could not be loaded, and when no test ran.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DevServerError, ensurePython, ensureServers } from "../libs/dev-servers/src/index.ts";
import { vitestArguments } from "./lib/test-arguments.ts";
import { closingLine, failureLines, readTally } from "./lib/test-tally.ts";
import { workspaces } from "./lib/workspaces.ts";

const root = join(import.meta.dirname, "..");
const log = (line: string): void => console.error(line);

try {
  await ensureServers({ log });
  await ensurePython({ log });
} catch (error) {
  if (!(error instanceof DevServerError)) throw error;
  console.error(`${error.message}\n${closingLine({ passed: 0, failed: 1, skipped: 0 })}`);
  process.exit(1);
}

const folder = await mkdtemp(join(tmpdir(), "aiep-report-"));
const reportFile = join(folder, "report.json");
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
const args = vitestArguments(process.argv.slice(2), Object.keys(workspaces));
const exitCode = await run(process.execPath, [vitest, "run", ...reporters, ...args]);

const report = await readFile(reportFile, "utf8").catch(() => undefined);
await rm(folder, { recursive: true, force: true });
const tally = readTally(report, exitCode);
for (const line of failureLines(report, root)) console.log(line);
console.log(closingLine(tally));
process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0;

/** Ctrl-C reaches Vitest by itself; we stay to print how far it came. */
async function run(command: string, commandArgs: readonly string[]): Promise<number> {
  const child = spawn(command, commandArgs, { cwd: root, stdio: "inherit" });
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
