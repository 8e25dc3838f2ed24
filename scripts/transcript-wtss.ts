/**
 * `node scripts/with-node24.mjs scripts/transcript-wtss.ts` writes docs/transcripts/wtss.md: what a person types to have a workflow
 * run by a WTSS server and by our own cron, and what the programs really answer. A stack of its own, in a folder and on a port of
 * its own, and the stand-in server (AIEP_WTSS_SERVER), or the server that AIEP_WTSS_URL, AIEP_WTSS_USER and AIEP_WTSS_PASSWORD name.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../deploy/local/src/config.ts";
import { freePort, startWtss } from "../libs/dev-servers/src/index.ts";

const root = join(import.meta.dirname, "..");
const PAGE = "docs/transcripts/wtss.md";

interface Chapter {
  readonly title: string;
  readonly text: string;
  readonly commands: readonly string[];
}

const CHAPTERS: readonly Chapter[] = [
  {
    title: "A stack that knows a scheduler",
    text: "`AIEP_WTSS_URL`, `AIEP_WTSS_USER` and `AIEP_WTSS_PASSWORD` are in the environment of the first start; the stack keeps them.",
    commands: ["npm run -s stack -- up", "aiepctl doctor | grep -E 'schedul|wtss|planner'"],
  },
  {
    title: "Publish",
    text: "An experiment with one frozen version. What is published is that version, never the draft.",
    commands: [
      "id=$(aiepctl workflow import examples/daily-training.yaml --name 每日训练 -q)",
      "aiepctl workflow save-as $id -m 'first version'",
      "aiepctl workflow publish $id --param lr=0.2",
      "project=$(aiepctl workflow publish-status $id -o jsonpath='{.project}')",
    ],
  },
  {
    title: "The scheduler executes it",
    text: "By hand there, as a person would in its pages; here over its HTTP API. The execution's log is the scheduler's own.",
    commands: [
      'wtss() { curl -sS "$WTSS_URL/executor" -d username="$WTSS_USER" -d userpwd="$WTSS_PASSWORD" "$@"; }',
      "json() { node -p \"JSON.parse(fs.readFileSync(0, 'utf8'))$1\"; }",
      "wtss_status() { wtss -d ajax=fetchexecflow -d execid=$1 | json .status; }",
      "wtss_ended() { until wtss_status $1 | grep -E 'SUCCEEDED|FAILED|KILLED'; do sleep 1; done; }",
      String.raw`wtss_log() { sleep 2; wtss -d ajax=fetchExecJobLogs -d execid=$1 -d jobId=$project -d offset=0 -d length=60000 -d logType= | json '.data.replace(/&#(\d+);/g, (_, unit) => String.fromCharCode(unit)).replace(/&mdash;/g, "—").replace(/&amp;/g, "&")'; }`,
      "execution=$(wtss -d ajax=executeFlow -d project=$project -d flow=$project | json .execid)",
      "wtss_ended $execution",
      "wtss_log $execution",
    ],
  },
  {
    title: "The run in the execution records",
    text: "With its origin: the publication, and the scheduler's execution and attempt.",
    commands: [
      "aiepctl workflow runs list --origin trigger -o wide",
      "aiepctl workflow runs list --external-id $execution.0 -o json | grep -A 4 '\"origin\"'",
      "aiepctl schedule fires",
    ],
  },
  {
    title: "Killed there",
    text: "A longer workflow, killed in the scheduler while its run is at work: the run is cancelled, and says why.",
    commands: [
      "long=$(echo 'nodes: [{ id: hold, name: hold, kind: wait, manifest: { for: 10m } }]' | aiepctl workflow import - --name 长流程 -q)",
      "aiepctl workflow save-as $long",
      "aiepctl workflow publish $long",
      "project=$(aiepctl workflow publish-status $long -o jsonpath='{.project}')",
      "execution=$(wtss -d ajax=executeFlow -d project=$project -d flow=$project | json .execid)",
      'until aiepctl workflow runs list --external-id $execution.0 -o json | grep \'"state": "Running"\'; do sleep 0.5; done',
      "wtss -d ajax=cancelFlow -d execid=$execution; echo",
      "wtss_ended $execution",
      'until aiepctl workflow runs list --external-id $execution.0 -o json | grep \'"state": "Cancelled"\'; do sleep 0.5; done',
      "aiepctl workflow runs list --external-id $execution.0 -o json | grep '\"message\"'",
      "aiepctl workflow unpublish $long",
    ],
  },
  {
    title: "By the scheduler's own clock",
    text: "An update of what is published: now with a cron, every 30 seconds, in Quartz's form. Then it is taken away.",
    commands: [
      "aiepctl workflow publish $id --cron '0/30 * * * * ?'",
      "until [ $(aiepctl workflow runs list --origin trigger --state Succeeded -q | wc -l) -ge 3 ]; do sleep 1; done",
      "aiepctl workflow unpublish $id",
      "aiepctl workflow runs list --origin trigger",
    ],
  },
  {
    title: "By our own clock, every minute",
    text: "The same workflow without any scheduler elsewhere. After two minutes and a bit:",
    commands: [
      "schedule=$(aiepctl schedule create --workflow $id --cron '* * * * *' --param lr=0.2 -q)",
      "aiepctl schedule get $schedule",
      "until [ $(aiepctl workflow runs list --source $schedule --state Succeeded -q | wc -l) -ge 2 ]; do sleep 2; done",
      "aiepctl schedule fires $schedule",
      "aiepctl workflow runs list --origin schedule",
      "aiepctl schedule delete $schedule --yes",
    ],
  },
];

/** Between what one command said and the next. */
const MARK = "\u001e";

await using home = await temporaryFolder();
const port = await freePort();
const given = loadConfig().schedulers;
await using wtss = given.wtssUrl === undefined ? await startWtss({ scanIntervalSeconds: 1 }) : undefined;
const server = {
  url: wtss?.url ?? given.wtssUrl,
  user: wtss?.account.user ?? given.wtssUser,
  password: wtss?.account.password ?? given.wtssPassword,
};
if (server.url === undefined)
  throw new Error("there is no WTSS: AIEP_WTSS_SERVER or AIEP_WTSS_URL names one");
try {
  const answers = await typed(CHAPTERS.flatMap(({ commands }) => commands));
  await writeFile(join(root, PAGE), page(answers));
  console.error(`wrote ${PAGE}`);
} finally {
  await typed(["npm run -s stack -- reset --yes"]);
}

/** In one shell, so that a later command sees the names of an earlier one. */
async function typed(commands: readonly string[]): Promise<readonly string[]> {
  const script = [
    "set -uf",
    `aiepctl() { "${root}/node_modules/.bin/node" "${root}/apps/aiepctl/bin/aiepctl.mjs" "$@"; }`,
    ...commands.map((command) => `${command}\nprintf '${MARK}'`),
  ].join("\n");
  const environment = {
    PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
    HOME: home.path,
    AIEP_HOME: home.path,
    AIEP_PORT: String(port),
    AIEPCTL_CONFIG: join(home.path, "client.yaml"),
    AIEP_WTSS_URL: server.url,
    AIEP_WTSS_USER: server.user,
    AIEP_WTSS_PASSWORD: server.password,
    WTSS_URL: server.url,
    WTSS_USER: server.user,
    WTSS_PASSWORD: server.password,
  };
  const child = spawn("bash", ["-c", `exec 2>&1\n${script}`], {
    cwd: root,
    env: environment,
    timeout: 15 * 60_000,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  for await (const chunk of child.stdout) {
    said += String(chunk);
    process.stderr.write(String(chunk));
  }
  const answers = said.split(MARK);
  if (answers.length !== commands.length + 1)
    throw new Error(`the shell ended after ${answers.length - 1} commands`);
  return answers;
}

function page(answers: readonly string[]): string {
  let at = 0;
  const chapters = CHAPTERS.map(({ title, text, commands }) => {
    const lines = commands.map((command) => `$ ${command}\n${(answers[at++] ?? "").trimEnd()}`.trimEnd());
    return `## ${title}\n\n${text}\n\n\`\`\`text\n${lines.join("\n")}\n\`\`\`\n`;
  });
  const head = [
    "# A workflow that WTSS runs, and our own cron",
    "",
    "What was typed and what was answered, written by `node scripts/with-node24.mjs scripts/transcript-wtss.ts`, which makes it anew: a local stack of its",
    "own and a stand-in for a WTSS server (`AIEP_WTSS_SERVER`), or the server that `AIEP_WTSS_URL` names. `aiepctl` is `npx aiepctl`. The guide: [scheduling](../scheduling.md).",
    "",
  ];
  return `${head.join("\n")}\n${chapters.join("\n")}`;
}

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), "aiep-"));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}
