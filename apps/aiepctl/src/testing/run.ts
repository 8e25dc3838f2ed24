/** The program, in this process with captured outputs, or as a process of its own where signals matter. */
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { runCli } from "../cli/run-cli.ts";

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly tty?: boolean;
  readonly columns?: number;
  readonly stdin?: string;
}

/** A folder of its own for one test: home, working folder, signing key and configuration. */
export class Workplace implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(server?: string): Promise<Workplace> {
    const place = new Workplace(await mkdtemp(join(tmpdir(), "aiepctl-test-")));
    if (server !== undefined) {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      await place.write("key.pem", privateKey.export({ type: "pkcs8", format: "pem" }).toString(), 0o600);
      const context = { server, user: "alice", key_file: "key.pem" };
      await place.write(
        "config.yaml",
        JSON.stringify({ current_context: "test", contexts: { test: context } }),
        0o600,
      );
    }
    return place;
  }

  async write(name: string, content: string | Uint8Array, mode = 0o644): Promise<string> {
    const path = join(this.folder, name);
    await writeFile(path, content, { mode });
    return path;
  }

  env(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      AIEPCTL_CONFIG: join(this.folder, "config.yaml"),
      XDG_CACHE_HOME: join(this.folder, "cache"),
      HOME: this.folder,
      ...more,
    };
  }

  /** In this process. */
  async run(argv: readonly string[], around: Surroundings = {}): Promise<Outcome> {
    const out = { stdout: "", stderr: "" };
    const capture = (name: "stdout" | "stderr") => ({
      write: (text: string) => {
        out[name] += text;
      },
      isTTY: around.tty ?? false,
      ...(around.columns === undefined ? {} : { columns: around.columns }),
    });
    const code = await runCli(argv, {
      env: { ...this.env(), ...around.env },
      cwd: this.folder,
      home: this.folder,
      stdout: capture("stdout"),
      stderr: capture("stderr"),
      // Only read as a stream of bytes; a terminal is where somebody types.
      stdin: Object.assign(new PassThrough().end(around.stdin ?? ""), {
        isTTY: around.tty === true && around.stdin !== undefined,
      }) as unknown as NodeJS.ReadStream,
      now: () => new Date(),
    });
    return { code, ...out };
  }

  /** As a process: for signals and real pipes. */
  start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const main = new URL("../main.ts", import.meta.url).pathname;
    const child = spawn(process.execPath, ["--conditions=aiep:source", main, ...argv], {
      cwd: this.folder,
      env: { PATH: process.env["PATH"] ?? "", ...this.env(env) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new Running(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

export class Running implements AsyncDisposable {
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly ended: Promise<Outcome>;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) =>
        resolve({ code: code ?? (signal === null ? -1 : -2), stdout: this.stdout, stderr: this.stderr }),
      );
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}

export const TASK_FILE = `metadata:
  name: demo
  group_id: g1
image_info:
  name: python
compute_resource_info:
  model: DDP
  namespace: ns-demo
  node_info:
    worker: {nums: 2, cpu_num: 1, memory: 1}
code_info:
  command: echo hello
`;
