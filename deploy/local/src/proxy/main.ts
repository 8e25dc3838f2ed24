/** The proxy as a program of the local stack: `main.ts HTTP_PORT TASK_SVC_PORT LOG_SVC_PORT WORKFLOW_SVC_PORT SCHEDULER_BRIDGE_PORT`. */
import { fileURLToPath } from "node:url";
import { startProxy } from "./server.ts";

const [http = 0, task = 0, log = 0, workflow = 0, scheduler = 0] = process.argv.slice(2).map(Number);
const proxy = await startProxy({
  host: "127.0.0.1",
  port: http,
  services: {
    "task-svc": { port: task },
    "log-svc": { port: log },
    "workflow-svc": { port: workflow },
    "scheduler-bridge": { port: scheduler },
  },
  openapiFile: fileURLToPath(new URL("../../../../libs/contracts/generated/openapi.json", import.meta.url)),
  log: {
    warn: (details, message) =>
      console.log(JSON.stringify({ time: new Date().toISOString(), message, ...details })),
  },
});
console.log(JSON.stringify({ time: new Date().toISOString(), message: "listening", url: proxy.url }));
for (const signal of ["SIGTERM", "SIGINT"] as const)
  process.once(signal, () => {
    void proxy.close().then(() => process.exit(0));
  });
