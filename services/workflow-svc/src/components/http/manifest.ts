import * as z from "zod";

export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
export const MAX_HTTP_TIMEOUT_SECONDS = 300;

/** Headers that the transport writes itself. */
const OWN_HEADERS = [
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "upgrade",
  "expect",
  "te",
  "trailer",
];
const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, "a header's name")
  .refine((name) => !OWN_HEADERS.includes(name.toLowerCase()), "is written by the platform");
const headerValue = z
  .string()
  .max(8192)
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, "one line of printable Latin-1 text");

export const httpManifest = z.strictObject({
  method: z.enum(METHODS).default("GET").describe("Request method."),
  url: z
    .string()
    .min(1)
    .max(4096)
    .describe(
      "Where to: an http or https URL that the platform's operators allow. No user or password in it.",
    ),
  headers: z
    .record(headerName, headerValue)
    .default({})
    .describe("Headers. Secrets do not belong here: use secret_headers."),
  secret_headers: z
    .record(headerName, z.string().min(1).max(253))
    .default({})
    .describe(
      "Header → name of a secret that the operators allow for this URL; its value is sent and is never stored or shown.",
    ),
  body: z.json().optional().describe("Text is sent as it is, anything else as JSON. Not with GET and HEAD."),
  timeout_seconds: z
    .number()
    .positive()
    .max(MAX_HTTP_TIMEOUT_SECONDS)
    .default(30)
    .describe("For the whole exchange, redirects included."),
  expected_status: z
    .array(
      z.union([
        z.int().min(100).max(599),
        z.string().regex(/^[1-5]xx$/, "a status such as 204, or a class such as 2xx"),
      ]),
    )
    .min(1)
    .max(32)
    .default(["2xx"])
    .describe("Statuses that mean success: numbers, or classes such as 2xx."),
  follow_redirects: z
    .int()
    .min(0)
    .max(5)
    .default(3)
    .describe("Redirects followed at most; each must lead to an allowed URL again."),
  keep_body: z
    .boolean()
    .default(true)
    .describe("Keep the answer as output `body`: JSON as a value, anything else as text, up to 32 KiB."),
});
