/** A message of the LOG stream as a batch; everything in it is checked before it is believed (I12). */
import { AiepError, groupId, LOG_HEADERS, nodeName, taskId } from "@aiep/contracts";
import * as z from "zod";
import type { SourceKey } from "../store/log-index.ts";

export interface LogBatch {
  readonly env: string;
  readonly key: SourceKey;
  readonly position: number;
  readonly final: boolean;
  readonly bytes: Buffer;
}

const SUBJECT = /^aiep\.([^.]+)\.log\.([^.]+)\.([^.]+)\.([^.]+)$/;
const count = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);

const batchHeaders = z.object({
  groupId,
  taskId,
  node: nodeName,
  source: z.string().regex(/^[\x21-\x7e]{1,255}$/, "1 to 255 printable ASCII characters"),
  position: count,
  attempt: count,
  final: z.enum(["true", "false"]).default("false"),
});

export function readBatch(message: {
  readonly subject: string;
  readonly header: (name: string) => string | undefined;
  readonly payload: Uint8Array;
}): LogBatch {
  const subject = SUBJECT.exec(message.subject);
  const parsed = batchHeaders.safeParse({
    groupId: subject?.[2],
    taskId: subject?.[3],
    node: subject?.[4],
    source: message.header(LOG_HEADERS.source),
    position: message.header(LOG_HEADERS.position),
    attempt: message.header(LOG_HEADERS.attempt),
    final: message.header(LOG_HEADERS.final),
  });
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new AiepError("MESSAGE_INVALID", `Not a log batch: ${problems.join("; ")}.`);
  }
  const { position, final, ...key } = parsed.data;
  const { buffer, byteOffset, byteLength } = message.payload;
  return {
    env: subject?.[1] ?? "",
    key,
    position,
    final: final === "true",
    bytes: Buffer.from(buffer, byteOffset, byteLength),
  };
}
