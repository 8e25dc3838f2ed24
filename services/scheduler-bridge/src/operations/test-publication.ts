/**
 * Whether a published flow could start its run, asked without starting one: each link of the way it goes is tried by itself, so
 * that the first broken one is named. The scheduler's own side is what `GET /v1/schedulers` checks.
 */
import { AiepError, type PublicationTest, type testPublicationBody } from "@aiep/contracts";
import { type Principal, randomHex } from "@aiep/service-kit";
import type * as z from "zod";
import type { Publication } from "../domain/publication/index.ts";
import { readTriggerOrder, signWebhook, validSecrets, verifyWebhook } from "../domain/webhook/index.ts";
import type { HookPublication } from "../store/webhooks.ts";
import { findPublication, type PublicationDeps } from "./publications.ts";
import { requireRunnable, type TriggerDeps } from "./receive-trigger.ts";

export type TestPublicationDeps = Pick<PublicationDeps, "publications"> &
  Pick<TriggerDeps, "experiments" | "webhooks" | "clock" | "triggerUrl">;

type Check = PublicationTest["checks"][number];

const ADDRESS_MS = 5_000;
const MAX_SKEW_SECONDS = 60;

export async function testPublication(
  deps: TestPublicationDeps,
  principal: Principal,
  written: string,
  sample: z.output<typeof testPublicationBody>,
  signal: AbortSignal,
): Promise<PublicationTest> {
  const publication = await findPublication(deps, principal, written);
  const hook = await deps.webhooks.publication(publication.id);
  if (hook === undefined)
    throw new AiepError("PUBLICATION_NOT_FOUND", `There is no publication ${written} in your groups.`);
  const checks = [
    standing(publication),
    ...(publication.scheduler === "local"
      ? []
      : [await address(deps, signal), signature(deps, publication, hook)]),
    order(publication, sample),
    await version(deps, publication, hook),
  ];
  return { ok: checks.every(({ ok }) => ok), checks };
}

function standing({ live, scheduler, message }: Publication): Check {
  const stands =
    live === null
      ? `Nothing of it stands in ${scheduler}${message === null ? "" : `: ${message}`}`
      : `${live.versionName} stands in ${scheduler}.`;
  return { name: "published", ok: live !== null, message: stands };
}

/** As the published script begins: it asks for the time. */
async function address({ triggerUrl, clock }: TestPublicationDeps, signal: AbortSignal): Promise<Check> {
  const url = `${triggerUrl}/v1/time`;
  const failed = (why: string): Check => ({
    name: "address",
    ok: false,
    message: `${url} ${why}; it has to be this platform's address as the scheduler's machines see it (AIEP_TRIGGER_URL).`,
  });
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(ADDRESS_MS)]) });
    const text = (await response.text()).trim();
    if (!response.ok || !/^\d{1,12}$/.test(text))
      return failed(`answers ${response.status}, and not with the time`);
    const skew = Math.abs(Number(text) - clock().getTime() / 1000);
    if (skew > MAX_SKEW_SECONDS) return failed(`tells a time ${Math.round(skew)} s away from ours`);
    return { name: "address", ok: true, message: `${triggerUrl} answers with the time, asked from here.` };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return failed(`cannot be reached (${cause instanceof Error ? cause.message : String(cause)})`);
  }
}

/** What stands there signs with the secret it was published with. */
function signature(
  { clock }: TestPublicationDeps,
  { live, wanted }: Publication,
  hook: HookPublication,
): Check {
  const number = (live ?? wanted).secret;
  const secret = hook.secrets.find((each) => each.number === number)?.secret;
  const now = clock();
  const name = "signature";
  if (secret === undefined)
    return {
      name,
      ok: false,
      message: "The secret that it carries is not valid any more: publish it again.",
    };
  const body = Buffer.from("{}");
  const signed = signWebhook({ id: `test-${randomHex(8)}`, body, secret, now });
  const headers = Object.fromEntries(Object.entries(signed).map(([header, value]) => [header, [value]]));
  const verdict = verifyWebhook({ headers, body, secrets: validSecrets(hook.secrets, now), now });
  return verdict.ok
    ? { name, ok: true, message: "What its secret signs is accepted." }
    : {
        name,
        ok: false,
        message: `${verdict.detail} Publish it again, so that it carries the present secret.`,
      };
}

function order(
  { live, wanted }: Publication,
  { run_date: runDate, parameters }: z.output<typeof testPublicationBody>,
): Check {
  const { versionName, parameters: own } = live ?? wanted;
  // What the scheduler would put into its place has a sample, or is left out.
  const plain = Object.entries(own).filter(([, value]) => !value.includes("${"));
  const body = {
    execution: "test",
    attempt: 0,
    version_name: versionName,
    ...(runDate === undefined ? {} : { run_date: runDate }),
    parameters: { ...Object.fromEntries(plain), ...parameters },
  };
  const read = readTriggerOrder(Buffer.from(JSON.stringify(body)));
  if (!read.ok) {
    const [first] = read.problems;
    return {
      name: "order",
      ok: false,
      message: `${first?.pointer ?? ""}: ${first?.detail ?? "it cannot be read"}.`,
    };
  }
  const { order: understood } = read;
  const given = Object.entries(understood.parameters).map(([key, value]) => `${key}=${value}`);
  const date = understood.runDate === undefined ? "yesterday's date" : `the date ${understood.runDate}`;
  const message = `A run of ${versionName} for ${date}${given.length === 0 ? "" : ` with ${given.join(", ")}`} would be ordered.`;
  return { name: "order", ok: true, message };
}

async function version(
  deps: TestPublicationDeps,
  { live, wanted }: Publication,
  hook: HookPublication,
): Promise<Check> {
  const { versionName } = live ?? wanted;
  try {
    await requireRunnable(deps, hook, { versionName });
    return {
      name: "version",
      ok: true,
      message: `${versionName} of ${hook.experimentName} is there, as ${hook.owner}'s run.`,
    };
  } catch (error) {
    if (!AiepError.is(error)) throw error;
    return { name: "version", ok: false, message: error.message };
  }
}
