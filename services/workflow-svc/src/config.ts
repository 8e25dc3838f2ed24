/** Settings of workflow-svc from the environment. */
import { AiepError } from "@aiep/contracts";
import { type Environment, loadConfig, serviceEnvironment, unsafeSwitches } from "@aiep/service-kit";
import * as z from "zod";
import { componentEnvironment } from "./components/settings.ts";
import { isTimeZone } from "./domain/values/index.ts";

const schema = z.object({
  ...serviceEnvironment,
  ...componentEnvironment,
  AIEP_GIT_COMMIT: z.string().optional(),
  /** IANA zone of workflows that name none: in it "yesterday" is reckoned. */
  AIEP_TIME_ZONE: z
    .string()
    .refine(isTimeZone, "an IANA time zone such as Asia/Shanghai")
    .default("Asia/Shanghai"),
  /** Pools and their slots: `gpu=4,warehouse=10`. */
  AIEP_WORKFLOW_POOLS: z
    .string()
    .regex(/^([A-Za-z_]\w{0,63}=\d{1,5})(,[A-Za-z_]\w{0,63}=\d{1,5})*$/, "name=slots, separated by commas")
    .optional(),
  /** How long runs rest after a crash of the replica that owned them. */
  AIEP_WORKFLOW_LEASE_SECONDS: z.coerce.number().min(0.5).default(3),
  /** Questions of waiting nodes (datachecker, …) at the same time. */
  AIEP_WORKFLOW_POLLS: z.coerce.number().int().min(1).max(1000).default(64),
  /** Ed25519 private key, PEM, that signs exported bundles. */
  AIEP_BUNDLE_KEY: z.string().min(1),
  /** Public keys, PEM, of installations whose bundles are taken in. */
  AIEP_BUNDLE_TRUSTED_KEYS: z.string().default(""),
  /** The image that steps of compiled workflows run. */
  AIEP_RUNNER_IMAGE: z.string().default("aiep/node-runner:latest"),
  /** How long a repeated Idempotency-Key gets the first answer. */
  AIEP_IDEMPOTENCY_HOURS: z.coerce.number().min(1).default(24),
  /** An ended run is deleted when it is older; 0: never. */
  AIEP_RUN_KEEP_DAYS: z.coerce.number().min(0).default(90),
  /** Commands that were sent, and events of deleted runs, are kept this long, to fill a lost stream again. */
  AIEP_HISTORY_DAYS: z.coerce.number().min(1).default(30),
});

function poolsOf(text: string | undefined): ReadonlyMap<string, number> {
  const pairs = (text ?? "").split(",").filter((pair) => pair !== "");
  const pools = new Map(
    pairs.map((pair) => {
      const [name = "", slots = ""] = pair.split("=");
      return [name, Number(slots)] as const;
    }),
  );
  if (pools.size === pairs.length) return pools;
  throw new AiepError("CONFIG_INVALID", "AIEP_WORKFLOW_POOLS names a pool twice.");
}

export function loadWorkflowConfig(env: Environment) {
  const config = loadConfig(schema, env);
  return {
    ...config,
    pools: poolsOf(config.AIEP_WORKFLOW_POOLS),
    address: { env: config.AIEP_ENV, source: "/aiep/workflow-svc" },
    unsafe: unsafeSwitches(config.AIEP_ENV, config.AIEP_UNSAFE_DISABLE),
  };
}
export type WorkflowConfig = ReturnType<typeof loadWorkflowConfig>;
