/** A server that lets everybody in and then repeats, as its error, all that it was sent. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readText } from "node:stream/consumers";

export interface Echo {
  readonly url: string;
  refuseLogin: boolean;
  readonly close: () => void;
}

export async function startEcho(): Promise<Echo> {
  const server = createServer((request, response) => {
    void readText(request).then((body) => {
      const said = decodeURIComponent(`${request.url} ${request.headers.cookie} ${body}`);
      const login = request.url?.startsWith("/checkin") === true && !echo.refuseLogin;
      response.end(JSON.stringify(login ? { status: "success", "session.id": "s3ss-ion" } : { error: said }));
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo; // a TCP server has such an address
  const echo: Echo = {
    url: `http://127.0.0.1:${port}`,
    refuseLogin: false,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return echo;
}
