/**
 * task-svc's own account in a cluster for tests: what deploy/kubernetes/rbac.yaml gives it and nothing else, so that a
 * permission that is missing there is a red test. Everything has the namespace's name in its own: stages do not meet.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type KubeApi, kubeconfigText, readAccess } from "@aiep/dev-servers";
import { parseAllDocuments } from "yaml";
import * as z from "zod";

const MANIFESTS = new URL("../../../../../../deploy/kubernetes/rbac.yaml", import.meta.url);
const RBAC = "/apis/rbac.authorization.k8s.io/v1";

const rule = z.object({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  verbs: z.array(z.string()),
});
const role = z.object({
  kind: z.literal("ClusterRole"),
  metadata: z.object({ name: z.string() }),
  rules: z.array(rule),
});
export type Role = z.infer<typeof role>;

/** The roles as they are deployed: the watcher everywhere, the runner in the groups' namespaces. */
export function deployedRoles(): readonly Role[] {
  const documents = parseAllDocuments(readFileSync(MANIFESTS, "utf8")).map((each) => each.toJS());
  return documents.flatMap((document) => role.safeParse(document).data ?? []);
}

export interface Account extends AsyncDisposable {
  readonly kubeconfig: string;
}

export async function openAccount(options: {
  readonly api: KubeApi;
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly dir: string;
  readonly roles: readonly Role[];
}): Promise<Account> {
  const { api, kubeconfig, namespace, dir, roles } = options;
  await using opening = new AsyncDisposableStack();
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await api.create(accounts, { metadata: { name: "aiep-task-svc" } });
  const subjects = [{ kind: "ServiceAccount", name: "aiep-task-svc", namespace }];
  for (const { metadata, rules } of roles) {
    const name = `${metadata.name}-${namespace}`;
    await api.create(`${RBAC}/clusterroles`, { metadata: { name }, rules });
    opening.defer(async () => await api.remove(`${RBAC}/clusterroles/${name}`));
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name };
    if (metadata.name === "aiep-task-watcher") {
      await api.create(`${RBAC}/clusterrolebindings`, { metadata: { name }, roleRef, subjects });
      opening.defer(async () => await api.remove(`${RBAC}/clusterrolebindings/${name}`));
    } else {
      await api.create(`${RBAC}/namespaces/${namespace}/rolebindings`, {
        metadata: { name },
        roleRef,
        subjects,
      });
    }
  }
  const issued = await api.create(`${accounts}/aiep-task-svc/token`, { spec: { expirationSeconds: 7200 } });
  const { token } = z.object({ status: z.object({ token: z.string() }) }).parse(issued).status;
  const { server, ca } = readAccess(kubeconfig);
  const file = join(dir, "account.kubeconfig");
  writeFileSync(file, kubeconfigText({ server: server.href, ca, token }), { mode: 0o600 });
  const stack = opening.move();
  return { kubeconfig: file, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}
