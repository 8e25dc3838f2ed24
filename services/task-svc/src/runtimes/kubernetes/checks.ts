/** What `doctor` says of the cluster: version, kinds, permissions, watches. */
import type { Directory } from "@aiep/contracts";
import { ApiError, type KubeClient } from "@aiep/kube";
import * as z from "zod";
import type { RuntimeCheck } from "../../domain/runtime.ts";
import { KINDS } from "./kinds.ts";

export interface ChecksInput {
  readonly client: Pick<KubeClient, "ask">;
  readonly namespaces: Directory["namespaces"];
  /** Name of the kind → its watch's trouble. */
  readonly watches: ReadonlyMap<string, string | null>;
}

const OLDEST_MINOR = 25;

export async function runtimeChecks(input: ChecksInput): Promise<RuntimeCheck[]> {
  const watches = [...input.watches]
    .filter(([, trouble]) => trouble !== null)
    .map(
      ([name, trouble]): RuntimeCheck => ({
        name: `kubernetes watch ${name}`,
        status: name === "Job" || name === "Pod" ? "fail" : "warn",
        message: `${name} cannot be watched: ${trouble}`,
      }),
    );
  return [
    await guarded("kubernetes version", async () => await checkVersion(input)),
    await guarded("training operator", async () => await checkOperator(input)),
    ...(await Promise.all(
      input.namespaces.map(
        async ({ name }) =>
          await guarded(`kubernetes permissions in ${name}`, async () => await checkPermissions(input, name)),
      ),
    )),
    ...watches,
  ];
}

type Verdict = Pick<RuntimeCheck, "status" | "message">;

async function guarded(name: string, check: () => Promise<Verdict>): Promise<RuntimeCheck> {
  try {
    return { name, ...(await check()) };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { name, status: "fail", message: `The Kubernetes API cannot be asked: ${said}` };
  }
}

const version = z.object({ major: z.string(), minor: z.string(), gitVersion: z.string() });

async function checkVersion({ client }: ChecksInput): Promise<Verdict> {
  const { minor, gitVersion } = version.parse(await client.ask({ method: "GET", path: "/version" }));
  const good = Number.parseInt(minor, 10) >= OLDEST_MINOR;
  return good
    ? { status: "pass", message: `Kubernetes ${gitVersion}` }
    : {
        status: "fail",
        message: `Kubernetes ${gitVersion} is too old; 1.${OLDEST_MINOR} or newer is needed.`,
      };
}

const resourceList = z.object({ resources: z.array(z.object({ name: z.string() })) });

async function checkOperator({ client }: ChecksInput): Promise<Verdict> {
  const missing: Verdict = {
    status: "warn",
    message:
      "The cluster does not know PyTorchJob and TFJob: DDP and PS-Worker tasks are refused until the Kubeflow training operator v1 is installed.",
  };
  try {
    const { resources } = resourceList.parse(
      await client.ask({ method: "GET", path: "/apis/kubeflow.org/v1" }),
    );
    const names = new Set(resources.map(({ name }) => name));
    const all = names.has(KINDS.PyTorchJob.plural) && names.has(KINDS.TFJob.plural);
    return all ? { status: "pass", message: "PyTorchJob and TFJob are known." } : missing;
  } catch (error) {
    if (ApiError.is(error, "missing")) return missing;
    throw error;
  }
}

const review = z.object({ status: z.object({ allowed: z.boolean() }) });

const NEEDED = [
  ["batch", "jobs", "create"],
  ["batch", "jobs", "patch"],
  ["batch", "jobs", "delete"],
  ["kubeflow.org", "pytorchjobs", "create"],
  ["kubeflow.org", "tfjobs", "create"],
  ["", "pods", "delete"],
] as const;

async function checkPermissions({ client }: ChecksInput, namespace: string): Promise<Verdict> {
  const refused: string[] = [];
  for (const [group, resource, verb] of NEEDED) {
    const spec = { resourceAttributes: { namespace, group, resource, verb } };
    const body = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec };
    const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const { status } = review.parse(await client.ask({ method: "POST", path, body }));
    if (!status.allowed) refused.push(`${verb} ${resource}`);
  }
  return refused.length === 0
    ? { status: "pass", message: "The platform may do what it needs." }
    : {
        status: "fail",
        message: `The platform may not ${refused.join(", ")}; bind the role aiep-task-runner in ${namespace} (deploy/kubernetes/rbac.yaml).`,
      };
}
