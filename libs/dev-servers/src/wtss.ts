import { join } from "node:path";
import { type DevServersConfig, loadConfig } from "./config.ts";
import { DevServerError } from "./errors.ts";
import { prepareProcess } from "./launch.ts";
import { inPlace, type Place } from "./place.ts";
import { isProgram } from "./run.ts";
import { type HandleDeps, ServerHandle } from "./server-handle.ts";

/*
 * A stand-in for a WTSS (Schedulis) server, where its program is: it runs published jobs as processes of this machine, and makes
 * the faults that tests switch on.
 */

export interface WtssOptions {
  /** Commands by `/bin/sh -c` and cancel by SIGKILL of the tree; otherwise no shell, and SIGTERM to the direct child. */
  readonly asUser?: boolean;
  /** How often schedules are looked at; default 0.2. */
  readonly scanIntervalSeconds?: number;
  /** Schedules are refused. */
  readonly businessCheck?: boolean;
  /** Executions are answered with id -1. */
  readonly queueFull?: boolean;
}

/** Spoils the next `times` (default 1) requests that match; `hang` and `slow` for that many seconds (default 1). */
export interface WtssFault {
  readonly kind: "html" | "500" | "session" | "error200" | "execid-1" | "hang" | "cut" | "slow";
  /** A regular expression. */
  readonly path?: string;
  /** Or the `action`. */
  readonly ajax?: string;
  readonly times?: number;
  readonly seconds?: number;
}

export interface WtssAccount {
  readonly user: string;
  readonly password: string;
}

export class WtssServer extends ServerHandle {
  readonly url: string;
  readonly account: WtssAccount = { user: "aiep", password: "aiep-pass" };
  /** Somebody with projects of their own. */
  readonly otherAccount: WtssAccount = { user: "other", password: "other-pass" };

  constructor(deps: HandleDeps) {
    super(deps);
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async fault(fault: WtssFault): Promise<void> {
    await this.#control("POST", fault);
  }

  async clearFaults(): Promise<void> {
    await this.#control("DELETE");
  }

  /** Those that no request has met yet. */
  async faultsLeft(): Promise<unknown> {
    return await this.#control("GET");
  }

  async #control(method: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.url}/_fault`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.ok) return await response.json();
    throw new DevServerError("wtss_control", `/_fault answered ${response.status}: ${await response.text()}`);
  }

  /** In order: only then its jobs end with it. */
  override async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await super[Symbol.asyncDispose]();
  }
}

/** Undefined when the program is not there: the caller skips, visibly. */
export async function startWtss(
  options: WtssOptions = {},
  config: DevServersConfig = loadConfig(),
): Promise<WtssServer | undefined> {
  if (!(await isProgram(config.wtssServer))) return undefined;
  return await inPlace({}, config, async (place) => await startOn(place, options, config));
}

async function startOn(place: Place, options: WtssOptions, config: DevServersConfig): Promise<WtssServer> {
  const { dir, port } = place;
  const { asUser = false, scanIntervalSeconds = 0.2, businessCheck = false, queueFull = false } = options;
  const process = await prepareProcess(
    {
      name: "wtss",
      program: { kind: "binary", path: config.wtssServer },
      entrypoint: "server",
      args: [
        ...["--port", String(port), "--state", join(dir, "state")],
        ...["--scan-interval", String(scanIntervalSeconds), "--log-delay", "0.1"],
        ...(asUser ? ["--as-user"] : []),
        ...(businessCheck ? ["--business-check"] : []),
        ...(queueFull ? ["--queue-full"] : []),
      ],
      dir,
      port,
    },
    config,
  );
  const probe = async (): Promise<boolean> => {
    const response = await fetch(`http://127.0.0.1:${port}/checkin`, { signal: AbortSignal.timeout(2_000) });
    return (await response.text()).includes("WTSS");
  };
  const server = new WtssServer({ process, place, probe, readyTimeoutMs: 30_000 });
  await server.start();
  return server;
}
