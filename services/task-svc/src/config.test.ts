import { expect, test } from "vitest";
import { loadTaskConfig } from "./config.ts";

const env = {
  AIEP_HTTP_PORT: "0",
  AIEP_METRICS_PORT: "0",
  AIEP_NATS_URL: "nats://127.0.0.1:4222",
  AIEP_DATABASE_URL: "mysql://u:p@127.0.0.1:3306/d",
  AIEP_JWKS: "/etc/jwks.json",
  AIEP_DIRECTORY_FILE: "/etc/directory.yaml",
  AIEP_LOCAL_STATE_DIR: "/var/state",
  AIEP_LOCAL_LOGS_DIR: "/var/logs",
  AIEP_CODE_PACKAGE_DIR: "/var/packages",
  AIEP_ARTIFACT_DIR: "/var/artifacts",
};

test("directories between tasks lie in AIEP_ARTIFACT_DIR, or where AIEP_ARTIFACT_STORE says", () => {
  expect(loadTaskConfig(env).artifactStore).toEqual({ kind: "directory", path: "/var/artifacts" });
  const bucket = {
    ...env,
    AIEP_ARTIFACT_STORE: "s3://models/aiep?endpoint=http://s3:9000",
    AIEP_ARTIFACT_STORE_ACCESS_KEY: "access",
    AIEP_ARTIFACT_STORE_SECRET_KEY: "secret",
  };
  expect(loadTaskConfig(bucket).artifactStore).toMatchObject({
    kind: "s3",
    bucket: "models",
    prefix: "aiep",
    endpoint: "http://s3:9000",
    accessKey: "access",
    secretKey: "secret",
  });
  expect(() => loadTaskConfig({ ...env, AIEP_ARTIFACT_STORE: "/var/models" })).toThrow("AIEP_ARTIFACT_STORE");
});
