import type { DatabaseServer, NatsServer } from "@aiep/dev-servers";
import type { Life, Unit } from "./unit.ts";

type Server = NatsServer | DatabaseServer;

interface ServerUnitOptions<S extends Server> {
  readonly name: string;
  readonly port: number;
  readonly logFile: string;
  readonly start: () => Promise<S>;
}

const LOOK_MS = 200;

/** A nats-server or a database as a unit: started on the same port and folder each time, so that its data stay. */
export function serverUnit<S extends Server>(
  options: ServerUnitOptions<S>,
): Unit & { readonly server: () => S } {
  const { name, port, logFile } = options;
  let server: S | undefined;
  async function start(signal: AbortSignal): Promise<Life> {
    signal.throwIfAborted();
    if (server === undefined) server = await options.start();
    else await server.start();
    const started = server;
    const ended = new Promise<string>((resolve) => {
      // A look at a field of ours: the server's handle knows at once when its process has ended, but calls nobody.
      const timer = setInterval(() => {
        if (started.running) return;
        clearInterval(timer);
        resolve("its process ended");
      }, LOOK_MS);
    });
    return {
      pid: started.pid,
      ended,
      stop: async () => {
        await started.stop();
        await ended;
      },
    };
  }
  return {
    name,
    address: `127.0.0.1:${port}`,
    logFile,
    start,
    server: () => {
      if (server === undefined) throw new Error(`${name} has not been started`);
      return server;
    },
  };
}
