/**
 * What the platform adds to a job on Kubernetes: the same command in the same image, as a bare Job by itself and as a task,
 * one after the other in turn, from the request until a client has seen the success. Needs KUBECONFIG.
 */
import { randomBytes } from "node:crypto";
import { type KubeApi, openKubeApi, waitFor } from "@aiep/dev-servers";
import { type BenchStack, smallTask } from "../bench-stack.ts";
import type { Figure } from "../report.ts";
import { round, summarise } from "../stats.ts";

const ROUNDS = 12;
const NAMESPACE = "ns-demo";
const IMAGE = "python:3";
const LOOK_MS = 10;

interface JobStatus {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Created, and looked at until it is complete; as quick a client as can be. */
async function bareJob(api: KubeApi): Promise<number> {
  const name = `bench-${randomBytes(4).toString("hex")}`;
  const jobs = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`;
  const resources = { cpu: "100m", memory: "256Mi" };
  const begin = performance.now();
  await api.create(jobs, {
    metadata: { name },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          containers: [
            {
              name: "main",
              image: IMAGE,
              command: ["/bin/sh", "-c", "true"],
              resources: { requests: resources, limits: resources },
            },
          ],
        },
      },
    },
  });
  await waitFor(
    "the bare job is complete",
    async () => {
      const { status } = (await api.get(`${jobs}/${name}`)) as JobStatus; // the server's own words
      return status?.conditions?.some((each) => each.type === "Complete" && each.status === "True");
    },
    { timeoutMs: 60_000, intervalMs: LOOK_MS },
  );
  const took = performance.now() - begin;
  await api.remove(`${jobs}/${name}?propagationPolicy=Background`);
  return took;
}

/** Submitted over HTTP, and seen to succeed over SSE. */
async function task(stack: BenchStack): Promise<number> {
  const begin = performance.now();
  const wish = smallTask(NAMESPACE, "true", "kubernetes");
  wish.task_config.compute_resource_info.node_info.worker.cpu_num = 0.1;
  const answer = await stack.call("POST", "/v1/tasks", wish);
  const { id } = JSON.parse(answer.body) as { id: string };
  const response = await stack.open("GET", `/v1/tasks/${id}/events`, undefined, { port: stack.port("http") });
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
    text += String(chunk);
    if (/"state":"(Failed|Stopped)"/.test(text))
      throw new Error(`the task ended otherwise: ${text.slice(-600)}`);
    if (text.includes('"state":"Succeeded"')) break;
  }
  return performance.now() - begin;
}

export async function kubernetesSuite(stack: BenchStack): Promise<Figure[]> {
  using api = openKubeApi(process.env["KUBECONFIG"] ?? "");
  await bareJob(api); // the first one also pays for warm caches
  await task(stack);
  const [bare, ours]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    bare.push(await bareJob(api));
    ours.push(await task(stack));
  }
  const seconds = (values: readonly number[]) => round(summarise(values).p50 / 1000, 2);
  const added = summarise(ours).p50 - summarise(bare).p50;
  return [
    { what: "Kubernetes: a bare Job of `true`, p50", value: seconds(bare), unit: "s" },
    { what: "Kubernetes: a task of `true`, submit → Succeeded seen, p50", value: seconds(ours), unit: "s" },
    {
      what: "Kubernetes: what the platform adds to the Job, p50",
      value: round(added, 0),
      unit: "ms",
      budget: { atMost: 50 },
    },
  ];
}
