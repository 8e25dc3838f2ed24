/*
 * The local stack's commands. `npm run stack -- up` is this file.
 *
 *   config · terminal    surroundings; what the person sees
 *   commands/            one file per command; they talk to the supervisor through its state file and signals only
 *   home/                everything below .aiep: state, lock, ports, secrets, client context, first directory document
 *   supervisor/          the detached process that starts, watches and stops all others
 *   topology/ proxy/     two programs of the stack: streams and consumers; the one HTTP address
 *   processes/           processes by identity, who listens on a port
 */
import { mkdirSync } from "node:fs";
import { parseArgs } from "node:util";
import type { CommandContext } from "./commands/context.ts";
import { down } from "./commands/down.ts";
import { logs } from "./commands/logs.ts";
import { quickstart } from "./commands/quickstart.ts";
import { reset } from "./commands/reset.ts";
import { environment, pause } from "./commands/service.ts";
import { status } from "./commands/status.ts";
import { up } from "./commands/up.ts";
import { loadConfig, UsageError } from "./config.ts";
import { layoutOf } from "./home/layout.ts";
import { createTerminal } from "./terminal.ts";

const USAGE = `usage: npm run stack -- COMMAND

  up              start everything on this machine, on loopback; says so when it is up already
                  --kubernetes: tasks run in the cluster of KUBECONFIG (docs/kubernetes.md); kept once chosen
  down            stop everything; data stay, running tasks go on and are adopted by the next start
  status          what runs, where, since when   (-o json)
  logs [NAME…]    the programs' own logs   (-f follows, -n LINES)
  env NAME        the environment of a service, to run it by hand (secrets as names of files)
  stop NAME       stops one service, so that yours can take its place;  start NAME  brings it back
  reset           down, then remove all data   (--yes without asking)
  quickstart      up, then a distributed training job with its live log

environment: AIEP_PORT, the one HTTP port (default 7480, kept once given); AIEP_HOME, where the data are (default .aiep);
AIEP_RUNTIME=kubernetes is --kubernetes; AIEP_KUBERNETES_IMAGE, AIEP_KUBERNETES_PREPARE_IMAGE (default python:3, busybox:1);
AIEP_WTSS_URL, AIEP_WTSS_USER, AIEP_WTSS_PASSWORD or AIEP_WTSS_PASSWORD_FILE, AIEP_WTSS_PROXY_USER: the scheduler to publish
to; AIEP_TRIGGER_URL: where it reaches this stack (default its own address); AIEP_CONSOLE_URL; kept once given,
AIEP_WTSS_URL=none forgets (docs/scheduling.md)`;

async function main(argv: readonly string[]): Promise<number> {
  const { positionals, values } = parse(argv);
  const [command, ...names] = positionals;
  const config = { ...loadConfig(), ...(values.kubernetes ? { runtime: "kubernetes" as const } : {}) };
  const context: CommandContext = {
    config,
    layout: layoutOf(config.home),
    terminal: createTerminal({ colour: config.terminal }),
  };
  if (command === "up" || command === "quickstart") mkdirSync(config.home, { recursive: true });
  switch (command) {
    case "up": {
      const state = await up(context);
      context.terminal.say(`ready at ${state.url}   try: npx aiepctl doctor`);
      return 0;
    }
    case "down":
      await down(context);
      return 0;
    case "status":
      return await status(context, values.output === "json" ? "json" : "table");
    case "logs":
      return await logs(context, { names, follow: values.follow, lines: Number(values.lines) || 50 });
    case "env":
      await environment(context, names);
      return 0;
    case "stop":
    case "start":
      await pause(context, command, names);
      return 0;
    case "reset":
      await reset(context, { yes: values.yes });
      return 0;
    case "quickstart":
      return await quickstart(context);
    default:
      if (command === undefined && values.help) {
        context.terminal.print(USAGE);
        return 0;
      }
      throw new UsageError(command === undefined ? USAGE : `unknown command ${command}\n\n${USAGE}`);
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        output: { type: "string", short: "o", default: "table" },
        follow: { type: "boolean", short: "f", default: false },
        lines: { type: "string", short: "n", default: "50" },
        yes: { type: "boolean", short: "y", default: false },
        kubernetes: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}

// `status | head`: a reader that has seen enough is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
