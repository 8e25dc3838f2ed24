import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { DevServerError } from "./errors.ts";

/**
 * Ports are taken below the kernel's ephemeral range (32768 and up): in it, an outgoing connection of some client could
 * occupy the port of a server that is just being restarted, or a reconnecting client could connect to itself.
 */
const lowest = 15_000;
const highest = 32_000;

/** True when 127.0.0.1:port can be listened on right now. */
export async function portIsFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A port on 127.0.0.1 that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = randomInt(lowest, highest);
    if (await portIsFree(port)) return port;
  }
  throw new DevServerError("no_free_port", `no free port between ${lowest} and ${highest} in 50 attempts`);
}
