import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seconds } from "../terminal.ts";
import { zipFolder } from "../zip.ts";
import type { CommandContext } from "./context.ts";
import { up } from "./up.ts";

const EXAMPLE = "examples/ddp-stdlib";

/** The stack, and one distributed training through it as a person would run it. The exit code is the job's. */
export async function quickstart(context: CommandContext): Promise<number> {
  const { config, layout, terminal } = context;
  const started = performance.now();
  terminal.say(
    terminal.bold("1. The stack: nats-server, a database, task-svc, log-svc, a log agent, one HTTP address"),
  );
  const state = await up(context);
  const readyMs = performance.now() - started;
  terminal.say(`  ready after ${seconds(readyMs)} at ${terminal.bold(state.url)}\n`);

  const command = `npx aiepctl mltask run --task-config ${EXAMPLE}/task.yaml --upload-code code.zip`;
  terminal.say(
    terminal.bold("2. A job: three nodes train one network together, with python3 and nothing else"),
  );
  terminal.say(terminal.dim(`  $ ${command}`));
  const folder = await mkdtemp(join(tmpdir(), "aiep-quickstart-"));
  try {
    const zip = join(folder, "code.zip");
    await writeFile(zip, await zipFolder(join(config.root, EXAMPLE, "code")));
    const code = await runJob(context, zip);
    const next = [
      "",
      terminal.bold(
        code === 0 ? "3. It works, and the stack stays up. Next:" : "3. The job did not succeed. Next:",
      ),
      "  npx aiepctl mltask list                     what ran",
      "  npx aiepctl mltask logs <id> --node worker-1   the log of one node, from the store",
      "  npx aiepctl mltask init --mode ddp          a task file of your own; examples/ has four to copy",
      "  npm run stack -- status | logs | down | reset",
      `  ${join(layout.home, "directory.yaml")}   users, groups, quotas; edit it while the stack runs`,
    ];
    for (const line of next) terminal.say(line);
    return code;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runJob({ config, layout }: CommandContext, zip: string): Promise<number> {
  const child = spawn(
    config.node,
    [
      join(config.root, "apps/aiepctl/bin/aiepctl.mjs"),
      "mltask",
      "run",
      "--aiepctl-config",
      layout.clientFile,
      "--task-config",
      join(config.root, EXAMPLE, "task.yaml"),
      "--upload-code",
      zip,
    ],
    { cwd: config.root, stdio: "inherit" },
  );
  process.on("SIGINT", () => {}); // it reaches aiepctl by itself, which says what becomes of the task
  const [code, signal] = await once(child, "exit");
  return typeof code === "number" ? code : signal === "SIGINT" ? 130 : 1;
}
