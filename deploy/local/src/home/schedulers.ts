import * as z from "zod";
import type { SchedulerWishes } from "../config.ts";
import { readIfThere, writeAtomic } from "./files.ts";
import type { Layout } from "./layout.ts";
import { keepWtssPassword, wtssPasswordFile } from "./secrets.ts";

/*
 * The scheduler elsewhere that this stack publishes to: given once by the environment, kept for the next starts. The
 * password lies in a file of its own, or stays in the file that was named; it is in no process's environment.
 */

const schedulersSchema = z.strictObject({
  wtss: z
    .strictObject({
      url: z.string(),
      user: z.string(),
      password_file: z.string(),
      /** Published flows run as this user there. */
      proxy_user: z.string().optional(),
    })
    .optional(),
  /** Where the scheduler's machines reach this stack; default its own HTTP address. */
  trigger_url: z.string().optional(),
  console_url: z.string().optional(),
});
export type Schedulers = z.infer<typeof schedulersSchema>;

export const NO_SCHEDULERS: Schedulers = {};

/** Says `none` to forget a scheduler. */
const FORGET = "none";

export class WtssSettingsError extends Error {
  override readonly name = "WtssSettingsError";
}

export async function readSchedulers(layout: Layout): Promise<Schedulers> {
  const text = await readIfThere(layout.schedulersFile);
  return text === undefined ? NO_SCHEDULERS : schedulersSchema.parse(JSON.parse(text));
}

/** Lays what is wished over what was kept; tells whether anything changed. */
export async function keepSchedulers(layout: Layout, wishes: SchedulerWishes): Promise<boolean> {
  const before = await readSchedulers(layout);
  const passwordChanged =
    wishes.wtssPassword !== undefined && (await keepWtssPassword(layout, wishes.wtssPassword));
  const after: Schedulers = {
    ...laid("wtss", wtssOf(before.wtss, wishes, layout)),
    ...laid("trigger_url", wishes.triggerUrl ?? before.trigger_url),
    ...laid("console_url", wishes.consoleUrl ?? before.console_url),
  };
  if (JSON.stringify(after) === JSON.stringify(before)) return passwordChanged;
  await writeAtomic(layout.schedulersFile, `${JSON.stringify(after, undefined, 2)}\n`);
  return true;
}

function wtssOf(before: Schedulers["wtss"], wishes: SchedulerWishes, layout: Layout): Schedulers["wtss"] {
  const url = wishes.wtssUrl ?? before?.url;
  if (url === undefined || url === FORGET) return undefined;
  const user = wishes.wtssUser ?? before?.user;
  const passwordFile =
    wishes.wtssPasswordFile ??
    (wishes.wtssPassword === undefined ? before?.password_file : wtssPasswordFile(layout));
  if (user === undefined || passwordFile === undefined)
    throw new WtssSettingsError(
      "AIEP_WTSS_URL needs AIEP_WTSS_USER and AIEP_WTSS_PASSWORD, or AIEP_WTSS_PASSWORD_FILE",
    );
  return {
    url,
    user,
    password_file: passwordFile,
    ...laid("proxy_user", wishes.wtssProxyUser ?? before?.proxy_user),
  };
}

function laid<Name extends string, Value>(name: Name, value: Value | undefined) {
  return value === undefined ? {} : ({ [name]: value } as { readonly [Key in Name]: Value }); // one key, the name
}
