/**
 * What a cluster must have (`aiepctl doctor`, readiness): version, operator, permissions, storage, gang schedulers,
 * watches. Each line that is not a pass says who can do what about it.
 */
import type { Directory } from "@aiep/contracts";
import { ApiError, type KubeClient, pathOf } from "@aiep/kube";
import * as z from "zod";
import type { RuntimeCheck } from "../../domain/runtime.ts";
import { KINDS } from "./kinds.ts";
import { EVERYWHERE, IN_NAMESPACES, type Permission } from "./permissions.ts";

export interface ChecksInput {
  readonly client: Pick<KubeClient, "ask" | "find">;
  readonly directory: Directory;
  /** Name of the kind → its watch's trouble. */
  readonly watches: ReadonlyMap<string, string | null>;
}

type Namespace = Directory["namespaces"][number];
type Verdict = Pick<RuntimeCheck, "status" | "message">;

const OLDEST_MINOR = 25;

export async function runtimeChecks(input: ChecksInput): Promise<RuntimeCheck[]> {
  const { directory } = input;
  const found: RuntimeCheck[] = [];
  const check = async (name: string, verdict: () => Promise<Verdict>, namespace?: string) => {
    const own = namespace === undefined ? {} : { namespace };
    found.push({ name, ...(await guarded(verdict)), ...own });
  };
  await check("kubernetes version", async () => await checkVersion(input));
  if (found.some(({ status }) => status === "fail")) return [...found, ...troubles(input)]; // nothing else can be known
  await check("training operator", async () => await checkOperator(input));
  await check("kubernetes permissions", async () => await checkPermissions(input, EVERYWHERE, directory));
  for (const gang of new Set(directory.namespaces.map((each) => each.gang)))
    if (gang !== "none") await check(`gang scheduling by ${gang}`, async () => await checkGang(input, gang));
  for (const namespace of directory.namespaces) {
    const { name } = namespace;
    const only = { ...directory, namespaces: [namespace] };
    const permissions = async () => await checkPermissions(input, IN_NAMESPACES, only, name);
    await check(`kubernetes permissions in ${name}`, permissions, name);
    for (const [path, claim] of claimsOf(directory))
      await check(`storage ${path} in ${name}`, async () => await checkClaim(input, name, path, claim), name);
  }
  return [...found, ...troubles(input)];
}

function troubles({ watches }: ChecksInput): RuntimeCheck[] {
  return [...watches].flatMap(([name, trouble]): RuntimeCheck[] =>
    trouble === null
      ? []
      : [
          {
            name: `kubernetes watch ${name}`,
            status: name === "Job" || name === "Pod" ? "fail" : "warn",
            message: `${name} cannot be watched: ${trouble}`,
          },
        ],
  );
}

async function guarded(verdict: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await verdict();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { status: "fail", message: `The Kubernetes API cannot be asked: ${said}` };
  }
}

const version = z.object({ minor: z.string(), gitVersion: z.string() });

async function checkVersion({ client }: ChecksInput): Promise<Verdict> {
  const { minor, gitVersion } = version.parse(await client.ask({ method: "GET", path: "/version" }));
  if (Number.parseInt(minor, 10) >= OLDEST_MINOR)
    return { status: "pass", message: `Kubernetes ${gitVersion}` };
  const message = `Kubernetes ${gitVersion} is too old; 1.${OLDEST_MINOR} or newer is needed.`;
  return { status: "fail", message };
}

/** Definitions as the API server publishes them to everybody; undefined when it does not know the group. */
async function definitionsOf({ client }: ChecksInput, group: string): Promise<string | undefined> {
  try {
    return JSON.stringify(await client.ask({ method: "GET", path: `/openapi/v3/apis/${group}` }));
  } catch (error) {
    if (ApiError.is(error, "missing")) return undefined;
    throw error;
  }
}

async function checkOperator(input: ChecksInput): Promise<Verdict> {
  const without = "DDP and PS-Worker tasks are refused";
  const definitions = await definitionsOf(input, "kubeflow.org/v1");
  const lacks = ["PyTorchJob", "TFJob"].filter((kind) => definitions?.includes(`"kind":"${kind}"`) !== true);
  if (lacks.length > 0)
    return {
      status: "warn",
      message: `The cluster does not know ${lacks.join(" and ")}: ${without} until a platform administrator installs the Kubeflow training operator v1.`,
    };
  // `suspend` came with 1.7: without it a stop cannot keep the operator from making pods.
  if (definitions?.includes('"suspend":') !== true)
    return {
      status: "warn",
      message: `The training operator's definitions are older than 1.7: ${without} or cannot be stopped until a platform administrator installs 1.7 or newer.`,
    };
  return { status: "pass", message: "PyTorchJob and TFJob are known, 1.7 or newer." };
}

const GANG_GROUPS = {
  volcano: "scheduling.volcano.sh/v1beta1",
  "scheduler-plugins": "scheduling.x-k8s.io/v1alpha1",
  kueue: "kueue.x-k8s.io/v1beta1",
} as const;

async function checkGang(input: ChecksInput, gang: keyof typeof GANG_GROUPS): Promise<Verdict> {
  const known = await definitionsOf(input, GANG_GROUPS[gang]);
  if (known !== undefined) return { status: "pass", message: `${GANG_GROUPS[gang]} is known.` };
  return {
    status: "fail",
    message: `The directory chooses ${gang}, and the cluster does not know ${GANG_GROUPS[gang]}; a platform administrator can install it, or choose otherwise.`,
  };
}

const review = z.object({ status: z.object({ allowed: z.boolean() }) });

async function checkPermissions(
  { client }: ChecksInput,
  permissions: readonly Permission[],
  { namespaces }: Pick<Directory, "namespaces">,
  namespace?: string,
): Promise<Verdict> {
  const refused: string[] = [];
  const gangs = new Set(namespaces.map(({ gang }: Namespace) => gang));
  for (const { group, resource, verb, gang } of permissions) {
    if (gang !== undefined && !gangs.has(gang)) continue;
    const spec = { resourceAttributes: { namespace, group, resource, verb } };
    const body = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec };
    const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const { status } = review.parse(await client.ask({ method: "POST", path, body }));
    if (!status.allowed) refused.push(`${verb} ${resource}${group === "" ? "" : `.${group}`}`);
  }
  if (refused.length === 0) return { status: "pass", message: "The platform may do what it needs." };
  const [role, where] =
    namespace === undefined
      ? ["aiep-task-watcher", "in the cluster"]
      : ["aiep-task-runner", `in ${namespace}`];
  return {
    status: "fail",
    message: `The platform may not ${refused.join(", ")}; a platform administrator can bind the role ${role} ${where} (deploy/kubernetes/rbac.yaml).`,
  };
}

/** Path of the storage root → claim. */
function claimsOf({ storage_roots: roots }: Directory): [string, string][] {
  return roots.flatMap(({ path, volume }): [string, string][] =>
    volume.kind === "pvc" ? [[path, volume.claim]] : [],
  );
}

const claimed = z.object({ status: z.object({ phase: z.string().default("") }).prefault({}) });

async function checkClaim(
  { client }: ChecksInput,
  namespace: string,
  path: string,
  claim: string,
): Promise<Verdict> {
  const found = await client.find({ kind: KINDS.PersistentVolumeClaim, namespace, name: claim });
  if (found === undefined)
    return {
      status: "fail",
      message: `${namespace} has no claim ${claim} for the storage root ${path}: tasks that mount it wait for ever; a platform administrator can create it (${pathOf(KINDS.PersistentVolumeClaim, { namespace, name: claim })}).`,
    };
  const { phase } = claimed.parse(found).status;
  // A claim may be bound when its first pod comes.
  const waits = phase === "Bound" || phase === "Pending";
  return waits
    ? { status: "pass", message: `claim ${claim} is ${phase}` }
    : { status: "fail", message: `The claim ${claim} of the storage root ${path} is ${phase || "unknown"}.` };
}
