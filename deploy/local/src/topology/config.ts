import { loadConfig, serviceEnvironment } from "@aiep/service-kit";
import * as z from "zod";

const { AIEP_NATS_URL, AIEP_NATS_USER, AIEP_NATS_PASSWORD, AIEP_LOG_LEVEL } = serviceEnvironment;

/** What the topology step takes from its environment. */
export function loadTopologyConfig(env: Readonly<Record<string, string | undefined>> = process.env) {
  return loadConfig(z.object({ AIEP_NATS_URL, AIEP_NATS_USER, AIEP_NATS_PASSWORD, AIEP_LOG_LEVEL }), env);
}
