/** Settings of scheduler-bridge from the environment. */
import { readFile } from "node:fs/promises";
import { AiepError, isTimeZone } from "@aiep/contracts";
import { type Environment, loadConfig, serviceEnvironment, unsafeSwitches } from "@aiep/service-kit";
import * as z from "zod";
import { LEAST_FIRE_DAYS } from "./control/retention.ts";

const address = z
  .string()
  .regex(/^https?:\/\//, "http://host:port, or https")
  .transform((url) => url.replace(/\/+$/, ""));

const schema = z.object({
  ...serviceEnvironment,
  AIEP_GIT_COMMIT: z.string().optional(),
  /** IANA zone of schedules that name none. */
  AIEP_TIME_ZONE: z
    .string()
    .refine(isTimeZone, "an IANA time zone such as Asia/Shanghai")
    .default("Asia/Shanghai"),
  /** A WTSS (Schedulis) server; without it nothing can be published there. */
  AIEP_WTSS_URL: address.optional(),
  AIEP_WTSS_USER: z.string().min(1).optional(),
  AIEP_WTSS_PASSWORD: z.string().min(1).optional(),
  /** Known already as the password; by its name it is read anew. */
  AIEP_WTSS_PASSWORD_FILE: z.string().min(1).optional(),
  /** IANA zone in which the server fires; default AIEP_TIME_ZONE. */
  AIEP_WTSS_TIME_ZONE: z.string().refine(isTimeZone, "an IANA time zone such as Asia/Shanghai").optional(),
  /** The user that published flows run as there; default: whoever started them. */
  AIEP_WTSS_PROXY_USER: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, "a user name")
    .optional(),
  /** Where schedulers' machines reach this service, or the gateway in front of it. */
  AIEP_TRIGGER_URL: address.default("http://127.0.0.1:7480"),
  /** Of the web console; the deep link of a run starts with it. */
  AIEP_CONSOLE_URL: address.default("http://127.0.0.1:7480"),
  /** A published flow that does not ask for so long counts as ended. */
  AIEP_TRIGGER_LEASE_SECONDS: z.coerce.number().min(1).default(90),
  /** Webhooks are kept this long, for an administrator to handle again. */
  AIEP_DELIVERY_DAYS: z.coerce.number().min(1).default(7),
  /** Ended fires and back-fills, and the histories of unpublished publications, are kept this long; 0: for ever. */
  AIEP_FIRE_KEEP_DAYS: z.coerce.number().min(0).default(90),
  /** Between two looks of the leader at publications that have a step to do, in case nobody woke it. */
  AIEP_SCHEDULE_LOOK_SECONDS: z.coerce.number().min(0.05).default(1),
  /** How long a repeated Idempotency-Key gets the first answer. */
  AIEP_IDEMPOTENCY_HOURS: z.coerce.number().min(1).default(24),
  /** Commands that were sent are kept this long, to fill a lost stream again. */
  AIEP_HISTORY_DAYS: z.coerce.number().min(1).default(30),
});

export interface WtssAccount {
  readonly url: string;
  readonly user: string;
  /** Read anew at each login, where it is in a file. */
  readonly password: () => Promise<string>;
  readonly proxyUser: string | undefined;
}

function wtssOf(config: z.infer<typeof schema>): WtssAccount | undefined {
  const { AIEP_WTSS_URL: url, AIEP_WTSS_USER: user, AIEP_WTSS_PASSWORD: password } = config;
  if (url === undefined) return undefined;
  if (user === undefined || password === undefined)
    throw new AiepError(
      "CONFIG_INVALID",
      "AIEP_WTSS_URL is set; set AIEP_WTSS_USER and AIEP_WTSS_PASSWORD, or AIEP_WTSS_PASSWORD_FILE, too.",
    );
  const file = config.AIEP_WTSS_PASSWORD_FILE;
  const read = file === undefined ? async () => await Promise.resolve(password) : passwordIn(file);
  return { url, user, password: read, proxyUser: config.AIEP_WTSS_PROXY_USER };
}

const passwordIn = (file: string) => async () => (await readFile(file, "utf8")).replace(/\r?\n$/, "");

/** As long as a cause may be told again its fire is there to refuse it (control/retention.ts). */
function checkKept({ AIEP_FIRE_KEEP_DAYS: fires, AIEP_DELIVERY_DAYS: deliveries }: z.infer<typeof schema>) {
  const least = Math.max(LEAST_FIRE_DAYS, deliveries);
  if (fires === 0 || fires >= least) return;
  throw new AiepError(
    "CONFIG_INVALID",
    `AIEP_FIRE_KEEP_DAYS is ${fires}; make it 0 (for ever) or at least ${least}: ${LEAST_FIRE_DAYS} for what the bus may tell again, AIEP_DELIVERY_DAYS for webhooks.`,
  );
}

export function loadBridgeConfig(env: Environment) {
  const config = loadConfig(schema, env);
  checkKept(config);
  return {
    ...config,
    wtss: wtssOf(config),
    address: { env: config.AIEP_ENV, source: "/aiep/scheduler-bridge" },
    unsafe: unsafeSwitches(config.AIEP_ENV, config.AIEP_UNSAFE_DISABLE),
  };
}
export type BridgeConfig = ReturnType<typeof loadBridgeConfig>;
