import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, relative } from "node:path";
import { seconds } from "../terminal.ts";
import type { CommandContext } from "./context.ts";
import { up } from "./up.ts";

const EXAMPLE = "examples/ddp-stdlib";

/** The stack, and one distributed training through it as a person would run it. The exit code is the job's. */
export async function quickstart(context: CommandContext): Promise<number> {
  const { layout, terminal } = context;
  const started = performance.now();
  terminal.say(
    terminal.bold("1. The stack: nats-server, a database, the services, a log agent, one HTTP address"),
  );
  const state = await up(context);
  const readyMs = performance.now() - started;
  terminal.say(`  ready after ${seconds(readyMs)} at ${terminal.bold(state.url)}\n`);

  const args = ["mltask", "run", "--task-config", `${EXAMPLE}/task.yaml`, "--upload-code", `${EXAMPLE}/code`];
  terminal.say(
    terminal.bold("2. A job: three nodes train one network together, with python3 and nothing else"),
  );
  terminal.say(terminal.dim(`  $ npx aiepctl ${args.join(" ")}`));
  const code = await aiepctl(context, args);
  const below = relative(process.cwd(), layout.directoryFile);
  const directory = below.startsWith("..") ? layout.directoryFile : below;
  const next = [
    "",
    terminal.bold(
      code === 0 ? "3. It works, and the stack stays up. Next:" : "3. The job did not succeed. Next:",
    ),
    "  npx aiepctl mltask list                          what ran",
    "  npx aiepctl mltask logs ID --node worker-1       the log of one node",
    "  npx aiepctl mltask init --mode ddp > task.yaml   a task file of your own; examples/ has four to copy",
    "  npx aiepctl workflow import examples/two-gpu.flowjson   a workflow; workflow run ID --wait runs it",
    "  npx aiepctl schedule create --workflow ID --cron '* * * * *'   its newest frozen version every minute",
    "  npm run stack -- status                          what is up; also: logs, down, reset",
    `  ${directory.padEnd(47)}  users, groups, quotas: edit it while the stack runs`,
  ];
  for (const line of next) terminal.say(line);
  return code;
}

async function aiepctl({ config, layout }: CommandContext, args: readonly string[]): Promise<number> {
  const program = join(config.root, "apps/aiepctl/bin/aiepctl.mjs");
  const child = spawn(config.node, [program, ...args, "--aiepctl-config", layout.clientFile], {
    cwd: config.root,
    stdio: "inherit",
  });
  process.on("SIGINT", () => {}); // it reaches aiepctl by itself, which says what becomes of the task
  const [code, signal] = await once(child, "exit");
  return typeof code === "number" ? code : signal === "SIGINT" ? 130 : 1;
}
