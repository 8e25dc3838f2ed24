import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { workspaces } from "./scripts/lib/workspaces.ts";

/**
 * Projects of a workspace: `<name>` (pure, seconds), `<name>:integration` (real servers on random ports),
 * `<name>:cluster` (a real Kubernetes API, KUBECONFIG) and `<name>:exclusive:cluster` (restarts what others use there).
 * Sources are resolved through the private condition `aiep:source`, so no build precedes a test run.
 */
const WITH_CLUSTER = ["task-svc", "workflow-svc", "tests"];
const databases = `${import.meta.dirname}/libs/dev-servers/src/global-setup.ts`;
const conditions = ["aiep:source", "node", "import", "default"];
const neverTests = ["**/node_modules/**", "**/dist/**"];
/** The groups of a run follow each other; what is in none of these comes first. */
const RIGS_GROUP = 1;
const CLUSTER_GROUP = 2;
const EXCLUSIVE_GROUP = 3;

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    // Tests wait for servers more than they compute.
    maxWorkers: Math.max(3, availableParallelism()),
    projects: Object.entries(workspaces).flatMap(([name, root]) => [
      {
        extends: true as const,
        root,
        test: {
          name,
          include: ["**/*.test.ts"],
          exclude: ["**/*.{integration,cluster}.test.ts", ...neverTests],
          testTimeout: 60_000,
        },
      },
      {
        extends: true as const,
        root,
        test: {
          name: `${name}:integration`,
          include: ["**/*.integration.test.ts"],
          exclude: neverTests,
          // A rig is seven processes, and its tests wait for them most of the time.
          ...(name === "tests" ? { maxWorkers: 2, sequence: { groupOrder: RIGS_GROUP } } : {}),
          globalSetup: [databases],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      ...(WITH_CLUSTER.includes(name) ? clusterProjects(name, root) : []),
    ]),
  },
});

/** Each file has namespaces, machines and servers of its own in the one cluster, but for those that restart its parts. */
function clusterProjects(name: string, root: string) {
  const common = {
    globalSetup: process.env["KUBECONFIG"] ? [databases] : [],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  };
  return [
    {
      extends: true as const,
      root,
      test: {
        ...common,
        name: `${name}:cluster`,
        include: ["**/*.cluster.test.ts"],
        exclude: ["**/*.exclusive.cluster.test.ts", ...neverTests],
        sequence: { groupOrder: CLUSTER_GROUP },
      },
    },
    {
      extends: true as const,
      root,
      test: {
        ...common,
        name: `${name}:exclusive:cluster`,
        include: ["**/*.exclusive.cluster.test.ts"],
        exclude: neverTests,
        fileParallelism: false,
        sequence: { groupOrder: EXCLUSIVE_GROUP },
      },
    },
  ];
}
