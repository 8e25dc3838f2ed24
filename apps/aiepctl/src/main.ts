/**
 * aiepctl: the command line. cli/ parses and runs commands · commands/ one file each · tasks/ what several commands share ·
 * http/ the platform's API with retries and resumable streams · config/ contexts and tokens · terminal/ output.
 */
import { EXIT } from "./cli/errors.ts";
import { runCli } from "./cli/run-cli.ts";
import { systemShell } from "./config.ts";

// `aiepctl … | head` ends quietly.
process.stdout.on("error", (error: NodeJS.ErrnoException) =>
  process.exit(error.code === "EPIPE" ? EXIT.brokenPipe : EXIT.error),
);

process.exitCode = await runCli(process.argv.slice(2), systemShell());
