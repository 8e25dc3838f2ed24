/**
 * What WTSS answered, or who answered in its place (reference: measured against Schedulis 1.50). Pure.
 *
 * Neither the HTTP status nor the content type says much: most refusals are 200 with `error` or `status: "error"`, some pages are
 * 200 too, some JSON has no content type, and what a wrong method gets is 200 with nothing. Texts come in two languages, as
 * whoever asked last liked; they are for people, except where a name of the API stands in them.
 */
export interface RawAnswer {
  readonly httpStatus: number;
  /** The header `session-status`. */
  readonly sessionStatus: string | null;
  readonly text: string;
}

type Data = Readonly<Record<string, unknown>>;

export type WtssAnswer =
  | { readonly kind: "answered"; readonly data: Data }
  /** Log in again, then it may work: an expired session in one of its four shapes; a page may also be something else. */
  | { readonly kind: "session"; readonly what: string }
  /** Understood, and no. */
  | { readonly kind: "refused"; readonly why: string; readonly data: Data }
  | { readonly kind: "unauthorized"; readonly why: string }
  /** Nobody answered who could; asking again later may help. */
  | { readonly kind: "trouble"; readonly what: string };

/** Of proxies in between, whatever they say. */
const NOT_NOW = new Set([408, 425, 429, 502, 503, 504]);

export function readAnswer({ httpStatus, sessionStatus, text }: RawAnswer): WtssAnswer {
  if (sessionStatus === "timeout") return { kind: "session", what: "it knows no session of ours" };
  if (/^\s*Login error/.test(text)) return { kind: "session", what: "it wants a login" };
  const data = parse(text);
  if (data === undefined) return unreadable(httpStatus, text);
  if (NOT_NOW.has(httpStatus)) return { kind: "trouble", what: `it answered HTTP ${httpStatus}` };
  if (data["error"] === "session" || (data["action"] === "login" && saysNo(data)))
    return { kind: "session", what: "it knows no session of ours" };
  const error = textOf(data["error"]);
  if (error !== "" && data["supportForceCancel"] === true)
    return { kind: "trouble", what: `it cannot reach its executor: ${error}` };
  if (error !== "" || saysNo(data)) return no(httpStatus, error || textOf(data["message"]), data);
  if (httpStatus >= 400) return { kind: "trouble", what: `it answered HTTP ${httpStatus}` };
  return { kind: "answered", data };
}

/** For an answer without the mark of success that belongs to the call: `info` and `warn` are refusals then. */
export function unmarked(data: Data): Extract<WtssAnswer, { kind: "refused" | "trouble" }> {
  const why = textOf(data["info"]) || textOf(data["warn"]);
  return why === ""
    ? { kind: "trouble", what: "it answered something else than was asked for" }
    : { kind: "refused", why, data };
}

function no(httpStatus: number, said: string, data: Data): WtssAnswer {
  const why = said === "" ? `HTTP ${httpStatus}, without a reason` : said;
  return httpStatus === 401 ? { kind: "unauthorized", why } : { kind: "refused", why, data };
}

function unreadable(httpStatus: number, text: string): WtssAnswer {
  const isPage = /^\s*</.test(text);
  if (isPage && httpStatus === 200) return { kind: "session", what: "it answered with a page" };
  if (httpStatus === 401) return { kind: "unauthorized", why: "HTTP 401" };
  const what = isPage ? "a page" : text.trim() === "" ? "nothing in it" : "half a message";
  return { kind: "trouble", what: `it answered HTTP ${httpStatus} with ${what}` };
}

/** `status: "FAILED"` without a message is how an execution stands, not how the call went. */
function saysNo({ status, message }: Data): boolean {
  if (typeof status !== "string") return false;
  return /^error$/i.test(status) || (/^failed$/i.test(status) && message !== undefined);
}

function parse(text: string): Data | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Data) : undefined; // just seen
  } catch {
    return undefined;
  }
}

/** One line without markup; exceptions come as objects. */
function textOf(value: unknown): string {
  if (value === undefined || value === null || value === false) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const line = text
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
