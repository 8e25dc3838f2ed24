/**
 * The real local stack in a folder of its own, for the time of a benchmark: started and stopped by the commands that
 * people type, with what they write (`client.yaml`, `ports.json`, `state.json`) as the way in.
 */
import { execFile } from "node:child_process";
import { createPrivateKey, randomUUID, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DirectoryInput } from "@aiep/contracts";
import { LOCAL_ISSUER, TOKEN_AUDIENCE } from "@aiep/contracts";
import { freePort, waitFor } from "@aiep/dev-servers";
import { parse, stringify } from "yaml";

const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");

export interface Answer {
  readonly status: number;
  readonly body: string;
}

interface ProcessState {
  readonly name: string;
  readonly ready_ms?: number;
  readonly identity?: { readonly pid: number };
}

export class BenchStack {
  readonly home: string;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 });
  #token: { readonly text: string; readonly until: number } | undefined;

  readonly #env: Readonly<Record<string, string>>;

  private constructor(home: string, port: number, env: Readonly<Record<string, string>>) {
    this.home = home;
    this.#port = port;
    this.#env = env;
  }

  /** With these settings over the environment's. */
  static async up(env: Readonly<Record<string, string>> = {}): Promise<BenchStack> {
    const home = await mkdtemp(join(tmpdir(), "aiep-bench-"));
    const stack = new BenchStack(home, await freePort(), env);
    await stack.command("up");
    return stack;
  }

  async command(...args: string[]): Promise<string> {
    const { stdout } = await exec(process.execPath, [join(ROOT, "deploy/local/bin/stack.mjs"), ...args], {
      cwd: ROOT,
      env: {
        ...process.env,
        ...this.#env,
        AIEP_HOME: this.home,
        AIEP_PORT: String(this.#port),
        AIEP_LOG_LEVEL: "warn",
      },
      timeout: 180_000,
    });
    return stdout;
  }

  async down(): Promise<void> {
    this.#agent.destroy();
    await this.command("reset", "--yes"); // also ends what tasks still run
    await rm(this.home, { recursive: true, force: true });
  }

  get processes(): readonly ProcessState[] {
    return (this.#json("state.json") as { processes: ProcessState[] }).processes;
  }

  pid(name: string): number {
    const pid = this.processes.find((each) => each.name === name)?.identity?.pid;
    if (pid === undefined) throw new Error(`the stack has no process ${name}`);
    return pid;
  }

  /** Resident memory of a process in MB. */
  memory(name: string): number {
    return this.#memory(name, "VmRSS");
  }

  /** The most it ever was. */
  peakMemory(name: string): number {
    return this.#memory(name, "VmHWM");
  }

  port(name: "http" | "task_http" | "log_http" | "workflow_http" | "nats"): number {
    return (this.#json("ports.json") as Record<string, number>)[name] ?? 0;
  }

  /** Read-only account on the bus. */
  get subscriber(): { readonly url: string; readonly user: string; readonly password: string } {
    return this.#json("subscriber.json") as { url: string; user: string; password: string }; // written by the stack
  }

  /** Changes the directory and waits until task-svc has taken it over. */
  async changeDirectory(change: (directory: DirectoryInput) => void, namespace: string): Promise<void> {
    const file = join(this.home, "directory.yaml");
    const directory = parse(readFileSync(file, "utf8")) as DirectoryInput; // ours, validated by the services
    change(directory);
    writeFileSync(file, stringify(directory));
    await waitFor(
      `namespace ${namespace} in whoami`,
      async () => (await this.call("GET", "/v1/whoami")).body.includes(`"${namespace}"`),
      { timeoutMs: 10_000 },
    );
  }

  token(): string {
    const now = Math.floor(Date.now() / 1000);
    if (this.#token !== undefined && this.#token.until > now + 30) return this.#token.text;
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const key = createPrivateKey(readFileSync(join(this.home, "secrets", "client-key.pem")));
    const claims = {
      iss: LOCAL_ISSUER,
      aud: TOKEN_AUDIENCE,
      sub: "alice",
      iat: now,
      exp: now + 300,
      jti: randomUUID(),
    };
    const content = `${part({ alg: "ES256", typ: "JWT" })}.${part(claims)}`;
    const signature = sign("sha256", Buffer.from(content), { key, dsaEncoding: "ieee-p1363" }).toString(
      "base64url",
    );
    this.#token = { text: `${content}.${signature}`, until: now + 300 };
    return this.#token.text;
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    options: { port?: number; key?: string } = {},
  ): Promise<Answer> {
    const response = await this.open(method, path, body, options);
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += String(chunk);
    return { status: response.statusCode ?? 0, body: text };
  }

  /** The answer's head; the body is the caller's to read. */
  async open(
    method: string,
    path: string,
    body?: unknown,
    options: { port?: number; key?: string } = {},
  ): Promise<IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return await new Promise((resolve, reject) => {
      const sent = request(
        {
          host: "127.0.0.1",
          port: options.port ?? this.port("task_http"),
          method,
          path,
          agent: this.#agent,
          headers: {
            authorization: `Bearer ${this.token()}`,
            ...(text === undefined
              ? {}
              : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
            ...(options.key === undefined ? {} : { "idempotency-key": options.key }),
          },
        },
        resolve,
      );
      sent.on("error", reject);
      sent.end(text);
    });
  }

  #memory(name: string, field: "VmRSS" | "VmHWM"): number {
    const status = readFileSync(`/proc/${this.pid(name)}/status`, "utf8");
    const [, kilobytes] = new RegExp(`${field}:\\s+(\\d+) kB`).exec(status) ?? [];
    return Number(kilobytes ?? Number.NaN) / 1024;
  }

  #json(name: string): unknown {
    return JSON.parse(readFileSync(join(this.home, name), "utf8"));
  }
}

/** A task that needs no image and little of anything. */
export function smallTask(namespace: string, command: string, name = "bench") {
  return {
    task_config: {
      metadata: { name, group_id: "gp-demo" },
      image_info: { name: "python3" },
      compute_resource_info: {
        model: "Standalone",
        namespace,
        node_info: { worker: { nums: 1, cpu_num: 1, memory: 0.25 } },
      },
      code_info: { command },
    },
  };
}
