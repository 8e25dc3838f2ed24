/** Variables every service knows. `z.object({ ...serviceEnvironment, AIEP_OWN: z.string() })`. */
import * as z from "zod";

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** 0 takes any free port. */
const port = z.coerce.number().int().min(0).max(65_535);

export const serviceEnvironment = {
  AIEP_ENV: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/, "1 to 32 letters, digits, '-' or '_'")
    .default("local"),
  AIEP_HTTP_HOST: z.string().default("127.0.0.1"),
  AIEP_HTTP_PORT: port,
  AIEP_METRICS_PORT: port,
  AIEP_NATS_URL: z.string().regex(/^(nats|tls):\/\//, "nats://host:port"),
  AIEP_NATS_USER: z.string().optional(),
  AIEP_NATS_PASSWORD: z.string().optional(),
  AIEP_DATABASE_URL: z.string().regex(/^mysql:\/\//, "mysql://user:password@host:port/database"),
  /** A file, or an http(s) address, with the gateway's JWKS. */
  AIEP_JWKS: z.string(),
  AIEP_DIRECTORY_FILE: z.string(),
  AIEP_LOG_LEVEL: z.enum(LOG_LEVELS).default("info"),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  AIEP_FAILPOINTS: z.string().optional(),
  AIEP_FAILPOINT_LOG: z.string().optional(),
  AIEP_UNSAFE_DISABLE: z.string().optional(),
};
