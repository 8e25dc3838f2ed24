import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { errorCode } from "./files.ts";

/*
 * One supervisor a folder. The lock is a listening socket in Linux's abstract namespace: the kernel gives it to one process
 * and takes it back when that process ends, however it ends, so that no dead owner is ever to be found out. Elsewhere it
 * is a socket file, which a crash leaves behind and the next owner replaces.
 */
export interface Lock extends AsyncDisposable {
  release(): Promise<void>;
}

/** undefined when another process has it. */
export async function takeLock(home: string): Promise<Lock | undefined> {
  const name = createHash("sha256").update(home).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  server.listen(process.platform === "linux" ? `\0aiep-stack-${name}` : join(home, "supervisor.sock"));
  try {
    await once(server, "listening");
  } catch (error) {
    if (errorCode(error) === "EADDRINUSE") return undefined;
    throw error;
  }
  server.unref();
  const release = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  return { release, [Symbol.asyncDispose]: release };
}
