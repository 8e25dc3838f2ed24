/** A person at a WTSS server: starts a published flow by hand, kills it, reads its log. Every call brings its own credentials, so that a restart of the server disturbs nobody. */
import { type WtssServer, waitFor } from "@aiep/dev-servers";
import * as z from "zod";

const execution = z.object({ status: z.string() });
const started = z.object({ execid: z.int().positive() });
const page = z.object({ data: z.string(), offset: z.int(), length: z.int() });
const session = z.object({ "session.id": z.string() });
const flows = z.object({ projectActive: z.boolean(), flows: z.array(z.object({ flowId: z.string() })) });
const OVER = new Set(["SUCCEEDED", "FAILED", "KILLED", "CANCELLED"]);

export class WtssPerson {
  readonly #server: WtssServer;

  constructor(server: WtssServer) {
    this.#server = server;
  }

  /** The flow has the name of its project. Returns the number of the execution. */
  async execute(project: string): Promise<string> {
    const fields = { ajax: "executeFlow", project, flow: project, concurrentOption: "ignore" };
    return String(started.parse(await this.#executor(fields)).execid);
  }

  async status(execid: string): Promise<string> {
    return execution.parse(await this.#executor({ ajax: "fetchexecflow", execid })).status;
  }

  async ended(execid: string): Promise<string> {
    return await waitFor(
      `execution ${execid} ended`,
      async () => {
        const status = await this.status(execid);
        return OVER.has(status) ? status : undefined;
      },
      { timeoutMs: 60_000, intervalMs: 100 },
    );
  }

  async kill(execid: string): Promise<void> {
    await this.#executor({ ajax: "cancelFlow", execid });
  }

  /** Of the flow's one job; for a moment after its end there is none. */
  async log(execid: string, project: string): Promise<string> {
    const fields = {
      ajax: "fetchExecJobLogs",
      execid,
      jobId: project,
      offset: "0",
      length: "1000000",
      logType: "",
    };
    return await waitFor(`the log of execution ${execid}`, async () => {
      const read = page.safeParse(await this.#executor(fields));
      return read.success ? unescaped(read.data.data) : undefined;
    });
  }

  /** Undefined when the project was deleted. */
  async flowsOf(project: string): Promise<readonly string[] | undefined> {
    const { user, password } = this.#server.account;
    const login = { action: "login", username: user, userpwd: password };
    const { "session.id": id } = session.parse(await this.#post("/checkin", login));
    const query = new URLSearchParams({ ajax: "fetchprojectflows", project, "session.id": id });
    const answer = await fetch(`${this.#server.url}/manager?${query.toString()}`);
    const found = flows.parse(await answer.json());
    return found.projectActive ? found.flows.map(({ flowId }) => flowId) : undefined;
  }

  async #executor(fields: Readonly<Record<string, string>>): Promise<unknown> {
    const { user, password } = this.#server.account;
    return await this.#post("/executor", { ...fields, username: user, userpwd: password });
  }

  async #post(path: string, fields: Readonly<Record<string, string>>): Promise<unknown> {
    const answer = await fetch(`${this.#server.url}${path}`, {
      method: "POST",
      body: new URLSearchParams(fields),
      signal: AbortSignal.timeout(15_000),
    });
    return JSON.parse(await answer.text()) as unknown;
  }
}

const NAMED: Readonly<Record<string, string>> = { quot: '"', amp: "&", lt: "<", gt: ">" };

/** HTML's names, and numbers of UTF-16 units. */
function unescaped(text: string): string {
  return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, unit: string | undefined, name = "") =>
    unit === undefined ? (NAMED[name] ?? whole) : String.fromCharCode(Number(unit)),
  );
}
