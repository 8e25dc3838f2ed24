/**
 * Where pods fetch what they are given and send what they leave: a small server of its own, so that they need to reach
 * nothing else of the platform. Whoever asks shows a token that is signed for one launch of one task and what it is for.
 * Tokens stand on the task's pods, so whether they still open anything is asked of the task's own state, because nobody
 * knows beforehand how long a pod will wait for its machine: fetching ends once all nodes have begun, sending once the
 * task has ended, both with a stop or the run limit.
 *
 * Sending again changes nothing: the same content has the same digests, and what was left is written down once it is
 * kept (artifacts/left-records.ts).
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { artifactDigest, type TaskIo, taskId } from "@aiep/contracts";
import type { Logger } from "@aiep/service-kit";
import * as z from "zod";
import { ArtifactMissing, type ArtifactStore } from "../../artifacts/artifact-store.ts";
import type { ArchiveLimits } from "../../artifacts/folder-archive.ts";
import { expectsOutputs, linesOf } from "../../artifacts/left.ts";
import type { LeftRecords } from "../../artifacts/left-records.ts";
import { receiveLeft } from "../../artifacts/receive-left.ts";
import type { Workload, WorkloadRef } from "../../domain/runtime.ts";
import { openMaterial } from "../local/material.ts";
import type { Sending } from "./job-builder/leave-script.ts";
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
  given: z.array(artifactDigest).default([]),
  leaves: z.boolean().default(false),
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
  /** What the workload may leave just now; undefined when it is over, or asked for nothing. */
  readonly mayLeave: (ref: WorkloadRef) => Promise<TaskIo | undefined>;
  readonly artifacts: ArtifactStore;
  readonly limits: ArchiveLimits;
  readonly records: LeftRecords;
  readonly log: Logger;
  readonly now: () => Date;
}

export interface Grant {
  readonly downloads: Downloads;
  readonly downloadToken: string;
  readonly sending: Sending | undefined;
}

export interface DownloadServer {
  readonly port: number;
  grantFor(workload: Workload): Grant;
  close(): Promise<void>;
}

export async function startDownloads(deps: DownloadsDeps): Promise<DownloadServer> {
  const closing = new AbortController();
  const server = createServer((request, response) => {
    serve(deps, request, response, closing.signal).catch((error: unknown) => {
      deps.log.warn({ err: error, path: request.url }, "a download broke off");
      const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
      const gone = missing || error instanceof ArtifactMissing;
      if (!response.headersSent) response.writeHead(gone ? 404 : 502).end();
      else response.destroy();
    });
  });
  server.requestTimeout = 0; // a large directory takes its time
  server.on("connection", (socket) => socket.setNoDelay(true));
  server.listen(deps.port, deps.host);
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : deps.port;
  const base = deps.publicUrl ?? `http://${deps.host}:${port}`;
  return {
    port,
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

function grantOf({ key, now }: DownloadsDeps, base: string, workload: Workload): Grant {
  const { attempt, spec } = workload;
  const { code_package: code, material, io } = spec;
  const given = (io?.input_directories ?? []).map(({ digest }) => digest);
  const token = (claimed: Partial<Claims>) =>
    sign(key, {
      task_id: workload.taskId,
      attempt,
      expires: Math.ceil(now().getTime() / 1000) + spec.run_limit_seconds,
      code: null,
      material: null,
      given: [],
      leaves: false,
      ...claimed,
    });
  const fetches = code !== null || material !== null || given.length > 0;
  return {
    downloads: {
      code: code === null ? undefined : { url: `${base}/code` },
      material: material === null ? undefined : { url: `${base}/material` },
      given: given.length === 0 ? undefined : { url: `${base}/given` },
    },
    downloadToken: fetches
      ? token({ code: code?.sha256 ?? null, material: material?.url ?? null, given })
      : "",
    sending: expectsOutputs(io) ? { url: `${base}/left`, token: token({ leaves: true }) } : undefined,
  };
}

async function serve(
  deps: DownloadsDeps,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const token = request.headers.authorization?.replace(/^Bearer /, "") ?? "";
  const granted = verify(deps.key, token, deps.now());
  if (granted === undefined) return void response.writeHead(401).end();
  if (request.url === "/left" && request.method === "POST" && granted.leaves)
    return await receive(deps, granted, request, response, signal);
  if (!(await deps.awaitsNodes(refOf(granted)))) return void response.writeHead(403).end();
  const source = request.method === "GET" ? await sourceOf(deps, granted, request.url, signal) : undefined;
  if (source === undefined) return void response.writeHead(404).end();
  response.setHeader("content-type", "application/octet-stream");
  if (source.sizeBytes !== undefined) response.setHeader("content-length", source.sizeBytes);
  await pipeline(source.stream, response, { signal });
}

const refOf = ({ task_id, attempt }: Claims): WorkloadRef => ({ taskId: task_id, attempt });

interface Source {
  readonly stream: Readable;
  readonly sizeBytes?: number;
}

async function sourceOf(
  { codePackagePath, artifacts }: DownloadsDeps,
  { code, material, given }: Claims,
  url: string | undefined,
  signal: AbortSignal,
): Promise<Source | undefined> {
  if (url === "/code" && code !== null) return { stream: await openFile(codePackagePath(code)) };
  if (url === "/material" && material !== null) return { stream: await openMaterial(material, signal) };
  const digest = given.find((each) => url === `/given/${each.slice("sha256:".length)}`);
  return digest === undefined ? undefined : await artifacts.read(digest, signal);
}

/** The answer is lines for the node's log, or with 422 the sentence that refuses. */
async function receive(
  { mayLeave, artifacts, limits, records }: DownloadsDeps,
  granted: Claims,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const ref = refOf(granted);
  const io = await mayLeave(ref);
  if (io === undefined) return void response.writeHead(403).end();
  const keep = async () => {
    await using room = await records.openRoom();
    return await receiveLeft({ io, archive: request, room: room.dir, artifacts, limits }, signal);
  };
  const left = await keep();
  const lines = left.kind === "outputs" ? linesOf(left.outputs) : [left.message];
  if (left.kind === "outputs") await records.write(ref, left.outputs);
  const text = Buffer.from(lines.map((line) => `${line}\n`).join(""));
  const headers = { "content-type": "text/plain; charset=utf-8", "content-length": text.length };
  response.writeHead(left.kind === "outputs" ? 200 : 422, headers).end(text);
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
