/**
 * Admission (D15): decides from a submission, its sender and the directory whether a task may exist, and what exactly a
 * runtime is to run. Pure: facts come in, a `TaskSpec` or every refusal goes out.
 *
 * A1 all refusals are found in one pass; each names its rule, where it is in the body, and who can change it.
 * A2 to somebody without standing in the group nothing of the group is told: standing is judged first.
 * A3 only what is more than the namespace's *whole* quota is refused; what is more than is free now waits (I11).
 */
import { DEFAULT_RUN_LIMIT_SECONDS, type GroupId, type TaskFile, type TaskSpec } from "@aiep/contracts";
import type { AdmissionRequest, Resolved } from "./admission/facts.ts";
import {
  resolveCodePackage,
  resolveImage,
  resolveMaterial,
  resolveNamespace,
  resolveProxyUser,
} from "./admission/names.ts";
import type { Refusals } from "./admission/refusal.ts";
import { resolveResources } from "./admission/resources.ts";
import { deprecationWarnings, reservedFields, shapeRefusals } from "./admission/shape.ts";
import { judgeStanding } from "./admission/standing.ts";
import { resolveMounts } from "./admission/storage.ts";

export interface Admitted {
  readonly groupId: GroupId;
  readonly spec: TaskSpec;
  /** As asked for, with the group filled in: may be submitted again as it is. */
  readonly taskConfig: TaskFile;
  readonly proxyUser: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Accepted, but worth a look. */
  readonly warnings: readonly string[];
}

export type Admission =
  | { readonly kind: "admitted"; readonly admitted: Admitted }
  | { readonly kind: "refused"; readonly refusals: Refusals };

export function admit(request: AdmissionRequest): Admission {
  const { body, directory } = request;
  const file = body.task_config;
  const shape = shapeRefusals(body);
  const standing = judgeStanding(request);
  if (standing.kind === "refused") return refused([standing.refusal, ...shape]); // A2

  const { user, group } = standing;
  const refusals = [...shape, ...reservedFields(request)];
  /** Takes what a rule found, or notes why not. */
  const take = <T>(result: Resolved<T>): T | undefined => {
    if (result.kind === "found") return result.value;
    refusals.push(...result.refusals);
    return undefined;
  };
  const namespace = take(resolveNamespace(file, group, directory));
  const proxy = take(resolveProxyUser(file, user, directory));
  // A wrong proxy user says nothing about whose storage was meant.
  const mounts = proxy === undefined ? undefined : take(resolveMounts(file, user, proxy, directory.document));
  const image = take(resolveImage(file, group, directory.document));
  const roles = take(resolveResources(file, namespace, directory.document));
  const material = take(resolveMaterial(file, user, group, directory));
  const codePackage = take(resolveCodePackage(request, group));
  const [first, ...rest] = refusals;
  if (first !== undefined) return refused([first, ...rest]);
  if (
    namespace === undefined ||
    proxy === undefined ||
    mounts === undefined ||
    image === undefined ||
    roles === undefined ||
    material === undefined ||
    codePackage === undefined
  )
    throw new TypeError("a rule neither found nor refused");

  const runsAs = proxy ?? user;
  const fromMounts = mounts.flatMap(({ env_name, target }) =>
    env_name === null ? [] : [[env_name, target]],
  );
  const spec: TaskSpec = {
    mode: file.compute_resource_info.model,
    namespace: namespace.name,
    image,
    command: file.code_info.command,
    env: { ...body.set_envs, ...Object.fromEntries(fromMounts) },
    identity: { user: runsAs.name, uid: runsAs.uid, gid: runsAs.gid },
    roles,
    mounts,
    code_package: codePackage,
    material,
    ...(body.io === undefined ? {} : { io: body.io }),
    run_limit_seconds: file.compute_resource_info.run_limit_seconds ?? DEFAULT_RUN_LIMIT_SECONDS,
  };
  return {
    kind: "admitted",
    admitted: {
      groupId: group.id,
      spec,
      taskConfig: { ...file, metadata: { ...file.metadata, group_id: group.id } },
      proxyUser: proxy?.name ?? null,
      labels: Object.fromEntries((file.metadata.labels ?? []).map(({ key, value }) => [key, value])),
      warnings: deprecationWarnings(file),
    },
  };
}

const refused = (refusals: Refusals): Admission => ({ kind: "refused", refusals });
