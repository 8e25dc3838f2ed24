/** Test projects by name, as Vitest and `npm test -- <name>` know them; every name stands for its two tiers. */
export const workspaces: Readonly<Record<string, string>> = {
  contracts: "libs/contracts",
  "service-kit": "libs/service-kit",
  expressions: "libs/expressions",
  kube: "libs/kube",
  objects: "libs/objects",
  "dev-servers": "libs/dev-servers",
  "task-svc": "services/task-svc",
  "log-svc": "services/log-svc",
  "workflow-svc": "services/workflow-svc",
  "scheduler-bridge": "services/scheduler-bridge",
  aiepctl: "apps/aiepctl",
  "deploy-local": "deploy/local",
  house: "scripts",
  tests: "tests",
  bench: "bench",
};
