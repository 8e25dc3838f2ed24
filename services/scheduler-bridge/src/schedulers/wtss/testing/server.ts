/** A WTSS for tests: the stand-in where its program is; AIEP_WTSS_URL names another server for what needs no faults. */
import { readdirSync, readlinkSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startWtss, type WtssOptions, type WtssServer } from "@aiep/dev-servers";
import type { WtssClient } from "../client/client.ts";
import type { WtssAccess } from "../client/connection.ts";
import type { WtssSettings } from "../settings.ts";
import { packageOptions } from "./script.ts";

export const signal: AbortSignal = new AbortController().signal;

/** Of the environment, with the account it names. */
export function givenAccess(): WtssAccess | undefined {
  const { AIEP_WTSS_URL: url, AIEP_WTSS_USER: user = "", AIEP_WTSS_PASSWORD: password = "" } = process.env;
  return url === undefined || url === "" ? undefined : { url, user, password: constantly(password) };
}

/** The caller has seen that the program is there. */
export async function startStandIn(options: WtssOptions = {}): Promise<WtssServer> {
  const server = await startWtss(options);
  if (server === undefined) throw new Error("the stand-in for WTSS has gone");
  return server;
}

export function accessTo(server: WtssServer, account = server.account): WtssAccess {
  return { url: server.url, user: account.user, password: constantly(account.password) };
}

export function settingsOf(access: WtssAccess, triggerBaseUrl = packageOptions.triggerBaseUrl): WtssSettings {
  return {
    ...access,
    timeZone: "Asia/Shanghai",
    proxyUser: undefined,
    triggerBaseUrl,
    consoleBaseUrl: "http://console.example",
  };
}

/** Processes of jobs, by where they work, as far as the system tells (Linux). */
export function jobProcesses(server: WtssServer): number[] {
  const state = `${dirname(server.logFile)}/state/`;
  return readdirSync("/proc", { encoding: "utf8" })
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(state);
      } catch {
        return false; // no process, or gone
      }
    });
}

/** What a job wrote, when it has ended. */
export async function wholeLog(
  client: WtssClient,
  execId: number,
  job: string,
  length = 50_000,
): Promise<string> {
  let text = "";
  for (let offset = 0; ; ) {
    const page = await client.jobLog({ execId, job, offset, length }, signal);
    if (page?.complete === true) return text;
    text += page?.text ?? "";
    offset = page?.next ?? offset;
    if (page === undefined) await sleep(50);
  }
}

function constantly(password: string): () => Promise<string> {
  return async () => await Promise.resolve(password);
}
