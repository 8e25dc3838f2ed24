/**
 * Follows one container's log over the Kubernetes API until it is whole.
 *
 * N1 A stream that ends, breaks or is silent is followed by another one from the last second written; what it repeats is
 *    counted off (FollowedLog). N2 The log is whole when a stream that began after the container's end came to its own end.
 * N3 A pod that is gone can be asked no more: what a stream had not brought to its end is a gap.
 */
import { ApiError, type Connection, requestBytes } from "@aiep/kube";
import { backoffMs, type Logger, pause } from "@aiep/service-kit";
import { FollowedLog } from "../../domain/followed-log.ts";
import { FollowedFiles } from "./followed-files.ts";

/** `gone`: the pod is not there any more. */
export type ContainerPhase = "running" | "ended" | "gone";

export interface ContainerFollowerDeps {
  readonly connection: Connection;
  readonly pod: { readonly namespace: string; readonly name: string };
  readonly container: string;
  /** Where its files are written. */
  readonly folder: string;
  readonly phase: () => ContainerPhase;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly now: () => Date;
  /** A stream that brings nothing for so long is begun anew. Default 60 000. */
  readonly idleMs?: number;
}

const ANSWER_MS = 15_000;
const BACKOFF = { floorMs: 200, capMs: 10_000 };
/** Between two streams of a container that still runs. */
const REST_MS = 200;
const ROTATED = "lines are missing here: the cluster did not keep them until they could be read";
const CUT_OFF = "the end of this log is missing: its pod was removed before it could be read";

/** `silent`: given up by us. `rest`: the records of a last line that had no end yet. */
type StreamEnd =
  | { readonly kind: "ended"; readonly rest: Buffer }
  | { readonly kind: "silent" | "broken" | "missing" };

/** Resolves when the log is whole, or the signal aborted. */
export async function followContainer(deps: ContainerFollowerDeps): Promise<void> {
  const { signal, phase, now } = deps;
  await using files = await FollowedFiles.open(deps.folder);
  let last: StreamEnd | undefined;
  let failures = 0;
  while (!signal.aborted) {
    const before = phase();
    const end = await streamOnce(deps, files, { follow: before === "running", failures });
    if (signal.aborted) return;
    if (end.kind === "missing") {
      if (last?.kind === "ended") await files.write(last.rest, files.place);
      else await files.gap(CUT_OFF, now());
      return;
    }
    if (end.kind === "ended" && before !== "running") {
      await files.write(end.rest, files.place);
      return;
    }
    last = end;
    failures = end.kind === "broken" ? failures + 1 : 0;
    await pause(failures > 0 ? backoffMs(failures, BACKOFF) : REST_MS, signal);
  }
}

async function streamOnce(
  deps: ContainerFollowerDeps,
  files: FollowedFiles,
  { follow, failures }: { readonly follow: boolean; readonly failures: number },
): Promise<StreamEnd> {
  const { connection, pod, container, signal, now, idleMs = 60_000 } = deps;
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), idleMs);
  const log = new FollowedLog(files.place);
  try {
    const bytes = requestBytes(connection, {
      method: "GET",
      path: `/api/v1/namespaces/${encodeURIComponent(pod.namespace)}/pods/${encodeURIComponent(pod.name)}/log`,
      query: { container, follow, timestamps: true, sinceTime: files.place.since },
      timeoutMs: ANSWER_MS,
      signal: AbortSignal.any([signal, silence.signal]),
    });
    for await (const chunk of bytes) {
      timer.refresh();
      const { records, gap } = log.push(chunk);
      if (gap) await files.gap(ROTATED, now());
      await files.write(records, log.place);
    }
    return { kind: "ended", rest: log.end().records };
  } catch (error) {
    if (silence.signal.aborted) return { kind: "silent" };
    if (ApiError.is(error, "missing")) return { kind: "missing" };
    if (!signal.aborted)
      deps.log[failures % 10 === 5 ? "warn" : "debug"](
        { err: error, pod: pod.name, container },
        "a log stream broke off and is begun again",
      );
    return { kind: "broken" };
  } finally {
    clearTimeout(timer);
  }
}
