import { expect, it } from "vitest";
import { loadBridgeConfig } from "./config.ts";

const ENV = {
  AIEP_HTTP_PORT: "0",
  AIEP_METRICS_PORT: "0",
  AIEP_NATS_URL: "nats://127.0.0.1:1",
  AIEP_DATABASE_URL: "mysql://u:p@127.0.0.1:1/d",
  AIEP_JWKS: "/jwks.json",
  AIEP_DIRECTORY_FILE: "/directory.yaml",
};

it("I2: fires are kept for as long as their causes may be told again, or the service does not start", () => {
  const keep = (days: string, deliveries = "7") =>
    loadBridgeConfig({ ...ENV, AIEP_FIRE_KEEP_DAYS: days, AIEP_DELIVERY_DAYS: deliveries });
  expect(keep("").AIEP_FIRE_KEEP_DAYS).toBe(90);
  expect(keep("0", "1000").AIEP_FIRE_KEEP_DAYS).toBe(0);
  expect(keep("31").AIEP_FIRE_KEEP_DAYS).toBe(31);
  expect(() => keep("30")).toThrow("AIEP_FIRE_KEEP_DAYS is 30; make it 0 (for ever) or at least 31");
  expect(() => keep("90", "91")).toThrow("at least 91");
});
