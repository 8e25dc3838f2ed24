/**
 * What the published script and our HTTP side say to each other. The script has `sh` and `curl` alone, so everything it has to
 * read is text/plain: lines of a word, one blank, and the rest of the line. `{base}` is the address the publication was made with.
 *
 * GET {base}/v1/time                                    no authentication
 *   200 text/plain: Unix seconds, digits alone. Executors' clocks are not trusted, and `date` may be missing.
 *
 * POST {base}/v1/triggers/{publication_id}              signed, Standard Webhooks
 *   webhook-id: `{publication_id}.{execution}.{attempt}`, the same in every try; webhook-timestamp: of this try;
 *   webhook-signature: `v1,<base64 of HMAC-SHA256(secret, id "." timestamp "." body)>`; accept: text/plain;
 *   content-type: application/json
 *   body {"execution":"4711","attempt":0,"version_name":"v3","run_date":"20260301","parameters":{"name":"value"}}
 *     `execution` is text, `attempt` a number; `run_date` is left out when the scheduler gave none, `parameters` when there
 *     are none. Values are what the scheduler made of them; one that still holds `${` is for the HTTP side to judge.
 *   2xx text/plain, at least these lines, in any order; others are ignored:
 *     run_id <id>
 *     fire_id <id>
 *     wait_token <token>           letters, digits and -._~+/= only
 *     message <the line that the script prints first>
 *   The same webhook-id again is answered alike; a wait token of an earlier answer may end, the script uses the last one.
 *
 * GET {base}/v1/fires/{fire_id}/wait?after=N            aiep-wait-token: <token>; accept: text/plain; first N is 0
 *   Answers when there is something new, at the latest after 25 s (the script gives up on a call after 60 s).
 *   200 text/plain:
 *     line <text>                  0 or more, in order: what is to be printed, without control characters
 *     after <n>                    exactly one: the next N. An answer without it is half an answer: nothing of it counts
 *     state <State>                the fire's, for people
 *     end succeeded <sentence>     at the end, and only then, one of these two
 *     end failed <sentence>
 *
 * POST {base}/v1/fires/{fire_id}/cancel                 aiep-wait-token: <token>; accept: text/plain; no body
 *   2xx: the run will be stopped, or has ended. Sent when the script gets TERM, INT or HUP; bounded by 10 s, tried once.
 *
 * What the script does with any other answer:
 *   no answer, half an answer, 408, 425, 429, 5xx, 2xx that is not the above → again, with growing pauses, up to an hour of them
 *   any other status → the end, exit 1; `detail` of a problem document (one line of JSON) is printed
 * So a trigger whose time stamp is refused must be repeatable: the script asks for the time anew before each try.
 *
 * Exit codes: 0 the run succeeded; 1 it did not, or was refused; 2 started in a way the script does not know; 75 nobody could be
 * reached for an hour; 143, 130, 129 after TERM, INT, HUP. After SIGKILL nothing is said: waiting stops, and the lease runs out.
 */

export const TIME_PATH = "/v1/time";
export const WAIT_TOKEN_HEADER = "aiep-wait-token";

export const triggerPath = (publicationId: string): string => `/v1/triggers/${publicationId}`;
export const firePath = (fireId: string): string => `/v1/fires/${fireId}`;
