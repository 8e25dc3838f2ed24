/**
 * What a piece of work costs, whatever else the machine does meanwhile: processor time of each process of the stack, and what
 * the database was asked. Wall-clock times say how a quiet machine feels; these say where its time goes.
 */
import { readFileSync } from "node:fs";
import { waitFor } from "@aiep/dev-servers";
import { type Connection, createConnection } from "mysql2/promise";
import type { BenchStack } from "./bench-stack.ts";

export interface Costs {
  /** Milliseconds of user and system time, by process; those that hardly worked are left out. */
  readonly cpuMs: ReadonlyMap<string, number>;
  readonly statements: number;
  readonly commits: number;
}

/** A process that is none of the stack's, e.g. in the place of one. */
export type Beside = Readonly<Record<string, number>>;

/** USER_HZ is 100 on every Linux that Node runs on. */
const TICK_MS = 10;
const STATEMENTS = ["Com_select", "Com_insert", "Com_update", "Com_delete", "Com_replace"];
const COMMITS = ["Com_commit"];
/** Less is a sweep or a heartbeat. */
const HARDLY_MS = 50;
/** Work of all processes between two looks, sweeps and heartbeats. */
const LOOK_EVERY_MS = 250;
const RESTING_MS = 100;

export const sumOf = (cpuMs: Costs["cpuMs"]): number => [...cpuMs.values()].reduce((sum, ms) => sum + ms, 0);

export class CostMeter implements AsyncDisposable {
  readonly #stack: BenchStack;
  readonly #connection: Connection;

  private constructor(stack: BenchStack, connection: Connection) {
    this.#stack = stack;
    this.#connection = connection;
  }

  static async open(stack: BenchStack): Promise<CostMeter> {
    const text = await stack.command("env", "workflow-svc");
    const [, file] = /^AIEP_DATABASE_URL_FILE='(.*)'$/m.exec(text) ?? [];
    if (file === undefined) throw new Error("the stack names no database");
    return new CostMeter(stack, await createConnection({ uri: readFileSync(file, "utf8").trim() }));
  }

  /** Also of what the work leaves to be done after it. */
  async of(work: () => Promise<unknown>, beside: Beside = {}): Promise<Costs> {
    const before = await this.#read(beside);
    await work();
    const after = await this.#atRest(beside);
    const cpuMs = [...after.cpuMs]
      .map(([name, ms]) => [name, ms - (before.cpuMs.get(name) ?? 0)] as const)
      .filter(([, ms]) => ms > HARDLY_MS);
    return {
      cpuMs: new Map(cpuMs),
      statements: after.statements - before.statements,
      commits: after.commits - before.commits,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.end();
  }

  async #atRest(beside: Beside): Promise<Costs> {
    let last = await this.#read(beside);
    const rests = async (): Promise<boolean> => {
      const before = last;
      last = await this.#read(beside);
      return sumOf(last.cpuMs) - sumOf(before.cpuMs) < RESTING_MS;
    };
    await waitFor("the stack rests", rests, { timeoutMs: 60_000, intervalMs: LOOK_EVERY_MS });
    return last;
  }

  async #read(beside: Beside): Promise<Costs> {
    const own = this.#stack.processes.flatMap(({ name, identity }) =>
      identity === undefined ? [] : [[name, identity.pid] as const],
    );
    const [rows] = await this.#connection.query("SHOW GLOBAL STATUS LIKE 'Com_%'");
    const counts = new Map(
      (rows as { Variable_name: string; Value: string }[]).map((row) => [
        row.Variable_name,
        Number(row.Value),
      ]), // SHOW STATUS has these two
    );
    const sum = (names: readonly string[]) => names.reduce((all, name) => all + (counts.get(name) ?? 0), 0);
    return {
      cpuMs: new Map([...own, ...Object.entries(beside)].map(([name, pid]) => [name, cpuMsOf(pid)])),
      statements: sum(STATEMENTS),
      commits: sum(COMMITS),
    };
  }
}

/** 0 for a process that is no more. */
function cpuMsOf(pid: number): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return 0;
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from the third field on: a name may hold spaces
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}
