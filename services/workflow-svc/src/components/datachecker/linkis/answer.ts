/**
 * What Linkis answered, whoever answered in its place (reference: measured against 1.8.0). Pure.
 *
 * The HTTP status alone says little: the gateway's own refusals come as 200 with status 1, a service that is not there as 200,
 * 500 with a list, 500 without a body, or a proxy's HTML. Only status 0 with an object is an answer.
 */
export type LinkisAnswer =
  | { readonly kind: "answered"; readonly data: Readonly<Record<string, unknown>> }
  /** Linkis understood and will say the same again. */
  | { readonly kind: "refused"; readonly why: string }
  /** The token, its user or our address. Its message holds the token in clear and is dropped here. */
  | { readonly kind: "unauthorised" }
  /** Nobody answered who could; asking again later may help. */
  | { readonly kind: "trouble"; readonly what: string };

/** Codes of the gateway for a service that is not there (yet). */
const NO_SERVICE = /\b(11011|10050)\b/;

export function readAnswer(httpStatus: number, text: string): LinkisAnswer {
  if (httpStatus === 401) return { kind: "unauthorised" };
  const body = parse(text);
  if (body === undefined) return trouble(httpStatus, text);
  const { status, message, data } = body;
  if (status === -1) return { kind: "unauthorised" };
  if (status === 0 && httpStatus === 200) {
    if (isObject(data)) return { kind: "answered", data };
    return { kind: "trouble", what: "it answered without data" };
  }
  const said = typeof message === "string" ? message : "";
  // Of 1 to 4 the service itself speaks, with the HTTP status that belongs to it; the gateway leaves 200.
  const service = httpStatus === 400 || httpStatus === 403 || httpStatus === 412;
  if (service && !NO_SERVICE.test(said))
    return { kind: "refused", why: said === "" ? `HTTP ${httpStatus}` : said };
  return {
    kind: "trouble",
    what: said === "" ? `it answered HTTP ${httpStatus}` : `it answered: ${short(said)}`,
  };
}

function trouble(httpStatus: number, text: string): LinkisAnswer {
  const what =
    text.trim() === ""
      ? `it answered HTTP ${httpStatus} with nothing in it`
      : /^\s*</.test(text)
        ? `it answered HTTP ${httpStatus} with a page instead of JSON`
        : `it answered HTTP ${httpStatus} with half a message`;
  return { kind: "trouble", what };
}

function parse(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function short(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
