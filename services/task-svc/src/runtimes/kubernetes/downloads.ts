/**
 * Where prepare containers fetch code packages and material: a small server of its own, so that pods need to reach
 * nothing else of the platform. Whoever asks shows a token that is signed for one launch of one task and its two files.
 * It stands on the task's pods, so it opens nothing once all nodes have begun, after a stop or an end, or past the run
 * limit: asked of the task's own state, because nobody knows beforehand how long a pod will wait for its machine.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { taskId } from "@aiep/contracts";
import type { Logger } from "@aiep/service-kit";
import * as z from "zod";
import type { Workload, WorkloadRef } from "../../domain/runtime.ts";
import { openMaterial } from "../local/material.ts";
import type { Downloads } from "./job-builder/scripts.ts";

const claims = z.object({
  task_id: taskId,
  attempt: z.int(),
  expires: z.number(),
  code: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  material: z.string().nullable(),
});
type Claims = z.infer<typeof claims>;

export interface DownloadsDeps {
  readonly host: string;
  readonly port: number;
  /** How pods reach it; undefined: by host and port. */
  readonly publicUrl: string | undefined;
  /** Shared by all replicas. */
  readonly key: string;
  readonly codePackagePath: (sha256: string) => string;
  /** Some node of the workload has yet to begin. */
  readonly awaitsNodes: (ref: WorkloadRef) => Promise<boolean>;
  readonly log: Logger;
  readonly now: () => Date;
}

export interface DownloadServer {
  grantFor(workload: Workload): { readonly downloads: Downloads; readonly downloadToken: string };
  close(): Promise<void>;
}

export async function startDownloads(deps: DownloadsDeps): Promise<DownloadServer> {
  const closing = new AbortController();
  const server = createServer((request, response) => {
    serve(deps, request, response, closing.signal).catch((error: unknown) => {
      deps.log.warn({ err: error, path: request.url }, "a download broke off");
      const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!response.headersSent) response.writeHead(missing ? 404 : 502).end();
      else response.destroy();
    });
  });
  server.on("connection", (socket) => socket.setNoDelay(true));
  server.listen(deps.port, deps.host);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : deps.port;
  const base = deps.publicUrl ?? `http://${deps.host}:${port}`;
  return {
    grantFor: (workload) => grantOf(deps, base, workload),
    close: async () => {
      closing.abort();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Open before anything is answered: a file that is missing is an answer of its own. */
async function openFile(path: string): Promise<Readable> {
  const file = await open(path);
  return file.createReadStream();
}

function grantOf({ key, now }: DownloadsDeps, base: string, workload: Workload) {
  const { attempt, spec } = workload;
  const { code_package: code, material } = spec;
  const token = sign(key, {
    task_id: workload.taskId,
    attempt,
    expires: Math.ceil(now().getTime() / 1000) + spec.run_limit_seconds,
    code: code?.sha256 ?? null,
    material: material?.url ?? null,
  });
  return {
    downloads: {
      code: code === null ? undefined : { url: `${base}/code` },
      material: material === null ? undefined : { url: `${base}/material` },
    },
    downloadToken: code === null && material === null ? "" : token,
  };
}

async function serve(
  { key, now, codePackagePath, awaitsNodes }: DownloadsDeps,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const granted = verify(key, request.headers.authorization?.replace(/^Bearer /, "") ?? "", now());
  if (granted === undefined) return void response.writeHead(401).end();
  if (!(await awaitsNodes({ taskId: granted.task_id, attempt: granted.attempt })))
    return void response.writeHead(403).end();
  const source =
    request.url === "/code" && granted.code !== null
      ? await openFile(codePackagePath(granted.code))
      : request.url === "/material" && granted.material !== null
        ? await openMaterial(granted.material, signal)
        : undefined;
  if (source === undefined || request.method !== "GET") return void response.writeHead(404).end();
  response.setHeader("content-type", "application/octet-stream");
  await pipeline(source, response, { signal });
}

const macOf = (key: string, body: string) => createHmac("sha256", key).update(body).digest();

function sign(key: string, of: Claims): string {
  const body = Buffer.from(JSON.stringify(of)).toString("base64url");
  return `${body}.${macOf(key, body).toString("base64url")}`;
}

function verify(key: string, token: string, now: Date): Claims | undefined {
  const [body = "", mac = ""] = token.split(".");
  const [given, right] = [Buffer.from(mac, "base64url"), macOf(key, body)];
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  const parsed = claims.parse(JSON.parse(Buffer.from(body, "base64url").toString("utf8")));
  return parsed.expires * 1000 > now.getTime() ? parsed : undefined;
}
