import { defineConfig } from "vitest/config";
import { workspaces } from "./scripts/lib/workspaces.ts";

/**
 * Projects of a workspace: `<name>` (pure, seconds), `<name>:integration` (real servers on random ports) and
 * `<name>:cluster` (a real Kubernetes API, KUBECONFIG).
 * Sources are resolved through the private condition `aiep:source`, so no build precedes a test run.
 */
const WITH_CLUSTER = ["task-svc", "workflow-svc", "tests"];
const databases = `${import.meta.dirname}/libs/dev-servers/src/global-setup.ts`;
const conditions = ["aiep:source", "node", "import", "default"];

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
          exclude: ["**/*.{integration,cluster}.test.ts", "**/node_modules/**", "**/dist/**"],
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
          // A rig is seven processes: its suites run one after the other.
          fileParallelism: name !== "tests",
          globalSetup: [databases],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      ...(WITH_CLUSTER.includes(name)
        ? [
            {
              extends: true as const,
              root,
              test: {
                name: `${name}:cluster`,
                include: ["**/*.cluster.test.ts"],
                exclude: ["**/node_modules/**", "**/dist/**"],
                // One cluster, shared by all.
                fileParallelism: false,
                sequence: { groupOrder: 1 + WITH_CLUSTER.indexOf(name) },
                globalSetup: process.env["KUBECONFIG"] ? [databases] : [],
                testTimeout: 120_000,
                hookTimeout: 120_000,
              },
            },
          ]
        : []),
    ]),
  },
});
