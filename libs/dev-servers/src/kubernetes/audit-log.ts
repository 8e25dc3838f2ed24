/**
 * What an API server wrote down about every write it carried out, from a moment on: the cluster's own word on what was
 * made and how often (I3). Needs an audit log of level Metadata in a file of this machine.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";

/** A write that was carried out. */
export interface AuditedWrite {
  readonly verb: string;
  readonly user: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string | undefined;
  /** Empty when the server chose it, as for the pods of a Job. */
  readonly name: string;
  readonly at: Date;
}

export class AuditLog {
  readonly #file: string;
  readonly #inode: number;
  readonly #from: number;

  private constructor(file: string) {
    const { ino, size } = statSync(file);
    this.#file = file;
    this.#inode = ino;
    this.#from = size;
  }

  /** From now on; undefined where there is no such file. */
  static fromNow(file: string): AuditLog | undefined {
    return existsSync(file) ? new AuditLog(file) : undefined;
  }

  /** Writes below this namespace that the server carried out, in their order. */
  writes(namespace: string): AuditedWrite[] {
    return this.#lines()
      .filter((line) => line.includes(`"${namespace}"`))
      .map((line) => toWrite(JSON.parse(line)))
      .filter((write) => write?.namespace === namespace)
      .filter((write) => write !== undefined);
  }

  #lines(): string[] {
    const fd = openSync(this.#file, "r");
    try {
      const { ino, size } = fstatSync(fd);
      if (ino !== this.#inode) throw new Error(`${this.#file} was rotated while the test ran`);
      const bytes = Buffer.alloc(size - this.#from);
      const read = readSync(fd, bytes, 0, bytes.length, this.#from);
      return bytes
        .toString("utf8", 0, read)
        .split("\n")
        .filter((line) => line.endsWith("}"));
    } finally {
      closeSync(fd);
    }
  }
}

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: Readonly<Record<string, string>>;
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
}

function toWrite(event: AuditEvent): AuditedWrite | undefined {
  const { objectRef, responseStatus, stage } = event;
  const code = responseStatus?.code ?? 0;
  if (stage !== "ResponseComplete" || objectRef === undefined || code < 200 || code >= 300) return undefined;
  return {
    verb: event.verb,
    user: event.user.username,
    namespace: objectRef["namespace"] ?? "",
    resource: objectRef["resource"] ?? "",
    subresource: objectRef["subresource"],
    name: objectRef["name"] ?? "",
    at: new Date(event.requestReceivedTimestamp),
  };
}
