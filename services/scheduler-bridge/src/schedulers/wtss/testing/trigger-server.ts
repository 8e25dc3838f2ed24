/**
 * The trigger's side of package/protocol.ts, over a real socket, with signatures really checked. Runs are told by the test what
 * to say and how to end; the server may be taken down and brought up again on its port, and be made to fail.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readText } from "node:stream/consumers";
import { firePath, TIME_PATH, triggerPath, WAIT_TOKEN_HEADER } from "../package/protocol.ts";

export const MESSAGE =
  "实验工作流(0123456ab)提交执行成功，请到AI工程化平台查看执行详情: http://console/#/x?version=v1&view-only=Y";

interface Fire {
  readonly id: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly token: string;
  readonly lines: string[];
  end: string | undefined;
  cancelled: boolean;
  waits: number;
}

export interface TriggerServerOptions {
  readonly publicationId: string;
  readonly secret: string;
}

type Spoiler = (response: ServerResponse) => void;

interface Reply {
  readonly status: number;
  readonly text: string;
}

export class TriggerServer implements AsyncDisposable {
  /** By webhook id. */
  readonly fires = new Map<string, Fire>();
  readonly refusals: string[] = [];
  /** Seconds that the server's clock is ahead. */
  clockAhead = 0;
  /** What every new fire says and how it ends at once. */
  atOnce: { readonly lines: readonly string[]; readonly end: string } | undefined;
  /** Each spoils one request whose path begins so. */
  readonly spoilers: { readonly path: string; readonly spoil: Spoiler }[] = [];
  /** How long a look is held; the real server's 25 s. */
  holdMs = 200;
  triggers = 0;
  readonly #options: TriggerServerOptions;
  #server: Server | undefined;
  #port = 0;

  private constructor(options: TriggerServerOptions) {
    this.#options = options;
  }

  static async open(options: TriggerServerOptions): Promise<TriggerServer> {
    const server = new TriggerServer(options);
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async up(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error)); // the stream takes any error
    });
    const listening = Promise.withResolvers<void>();
    server.once("error", listening.reject);
    server.listen(this.#port, "127.0.0.1", listening.resolve);
    await listening.promise;
    this.#port = (server.address() as AddressInfo).port; // a TCP server has such an address
    this.#server = server;
  }

  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    server.closeAllConnections();
    await closed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  get only(): Fire | undefined {
    return this.fires.size === 1 ? this.fires.values().next().value : undefined;
  }

  spoil(path: string, ...spoilers: readonly Spoiler[]): void {
    for (const spoil of spoilers) this.spoilers.push({ path, spoil });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    const body = await readText(request);
    const at = this.spoilers.findIndex(({ path }) => url.pathname.startsWith(path));
    const [spoiler] = at < 0 ? [] : this.spoilers.splice(at, 1);
    if (spoiler !== undefined) return spoiler.spoil(response);
    const { status, text } = await this.#reply(request, url, body);
    send(response, status, text);
  }

  async #reply(request: IncomingMessage, url: URL, body: string): Promise<Reply> {
    const route = `${request.method} ${url.pathname}`;
    if (route === `GET ${TIME_PATH}`) return { status: 200, text: `${this.#now()}\n` };
    if (route === `POST ${triggerPath(this.#options.publicationId)}`) return this.#trigger(request, body);
    const fire = [...this.fires.values()].find(({ id }) => url.pathname.startsWith(`${firePath(id)}/`));
    if (fire === undefined) return this.#refusal(404, `there is no ${route}`);
    if (request.headers[WAIT_TOKEN_HEADER] !== fire.token)
      return this.#refusal(401, "the wait token is wrong");
    if (route === `GET ${firePath(fire.id)}/wait`)
      return await this.#wait(fire, Number(url.searchParams.get("after")));
    fire.cancelled = true;
    return { status: 202, text: "" };
  }

  #now(): number {
    return Math.floor(Date.now() / 1000) + this.clockAhead;
  }

  #trigger(request: IncomingMessage, body: string): Reply {
    this.triggers += 1;
    const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature } = request.headers;
    if (typeof id !== "string" || typeof time !== "string" || typeof signature !== "string")
      return this.#refusal(401, "a webhook header is missing");
    if (Math.abs(Number(time) - this.#now()) > 300) return this.#refusal(400, "the time stamp is stale");
    if (!this.#signed(`${id}.${time}.${body}`, signature))
      return this.#refusal(401, "the signature is wrong");
    if (request.headers["content-type"] !== "application/json") return this.#refusal(415, "no JSON");
    const order = JSON.parse(body) as Fire["body"]; // checked by the tests that look at it
    if (Object.values(order).some((value) => JSON.stringify(value).includes("${")))
      return this.#refusal(422, 'a value still holds "${"');
    const known = this.fires.get(id);
    if (known !== undefined && JSON.stringify(known.body) !== JSON.stringify(order))
      return this.#refusal(422, "the same id with another body");
    const fire = known ?? this.#newFire(order);
    this.fires.set(id, fire);
    const lines = [`run_id ${"0123456ab".padEnd(32, "c")}`, `fire_id ${fire.id}`, `wait_token ${fire.token}`];
    return { status: 202, text: `${[...lines, `link http://console/x`, `message ${MESSAGE}`].join("\n")}\n` };
  }

  #newFire(body: Fire["body"]): Fire {
    const id = `fire${this.fires.size + 1}`;
    const { lines = [], end } = this.atOnce ?? {};
    return { id, body, token: `token-${id}.~+/=`, lines: [...lines], end, cancelled: false, waits: 0 };
  }

  #signed(content: string, header: string): boolean {
    const key = Buffer.from(this.#options.secret.replace(/^whsec_/, ""), "base64");
    const expected = Buffer.from(`v1,${createHmac("sha256", key).update(content).digest("base64")}`);
    const given = Buffer.from(header);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  async #wait(fire: Fire, after: number): Promise<Reply> {
    fire.waits += 1;
    const until = Date.now() + this.holdMs;
    while (fire.lines.length <= after && fire.end === undefined && !fire.cancelled && Date.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const end = fire.cancelled ? "failed The run was cancelled." : fire.end;
    const lines = [
      ...fire.lines.slice(after).map((line) => `line ${line}`),
      `after ${fire.lines.length}`,
      "state Running",
      ...(end === undefined ? [] : [`end ${end}`]),
    ];
    return { status: 200, text: `${lines.join("\n")}\n` };
  }

  #refusal(status: number, detail: string): Reply {
    this.refusals.push(detail);
    return { status, text: JSON.stringify({ type: "about:blank", title: "No", status, detail, code: "X" }) };
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}

/** Ways in which something between the script and us may fail. */
export const spoilers = {
  refusing: (status: number) => (response: ServerResponse) => send(response, status, "<html>no</html>"),
  page: (response: ServerResponse) =>
    send(response, 200, "<html>\n<body>after all\nend is near</body></html>"),
  nothing: (response: ServerResponse) => send(response, 200, ""),
  cut: (response: ServerResponse) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write("line half an answer\nafter 1\n", () => response.destroy());
  },
  gone: (response: ServerResponse) => void response.destroy(),
};
