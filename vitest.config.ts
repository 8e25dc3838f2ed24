import { defineConfig } from "vitest/config";

/**
 * Two projects a workspace: `<name>` (pure, seconds) and `<name>:integration` (real servers on random ports).
 * Sources are resolved through the private condition `aiep:source`, so no build precedes a test run.
 */
const conditions = ["aiep:source", "node", "import", "module", "default"];

const workspaces = {
  contracts: "libs/contracts",
  "service-kit": "libs/service-kit",
  "dev-servers": "libs/dev-servers",
  "task-svc": "services/task-svc",
  "log-svc": "services/log-svc",
  aiepctl: "apps/aiepctl",
  "deploy-local": "deploy/local",
  house: "scripts",
  tests: "tests",
};

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    projects: Object.entries(workspaces).flatMap(([name, root]) => [
      {
        extends: true as const,
        root,
        test: {
          name,
          include: ["**/*.test.ts"],
          exclude: ["**/*.integration.test.ts", "**/node_modules/**", "**/dist/**"],
          testTimeout: 20_000,
        },
      },
      {
        extends: true as const,
        root,
        test: {
          name: `${name}:integration`,
          include: ["**/*.integration.test.ts"],
          exclude: ["**/node_modules/**", "**/dist/**"],
          globalSetup: [`${import.meta.dirname}/libs/dev-servers/src/global-setup.ts`],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ]),
  },
});
