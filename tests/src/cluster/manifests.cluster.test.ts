/** What we hand to kubectl, checked by a real API server in a dry run: every field known, every value allowed. */
import { randomBytes } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openKubeApi } from "@aiep/dev-servers";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { kubeconfig, NO_CLUSTER } from "./cluster-rig.ts";

const ROOT = join(import.meta.dirname, "../../..");
const COLLECTIONS: Readonly<Record<string, string>> = {
  ServiceAccount: "/api/v1/namespaces/NS/serviceaccounts",
  PersistentVolumeClaim: "/api/v1/namespaces/NS/persistentvolumeclaims",
  ClusterRole: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
  ClusterRoleBinding: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
  RoleBinding: "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/rolebindings",
  DaemonSet: "/apis/apps/v1/namespaces/NS/daemonsets",
  Deployment: "/apis/apps/v1/namespaces/NS/deployments",
};

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const files = globSync("deploy/kubernetes/*.yaml", { cwd: ROOT });
const textOf = (file: string): string => readFileSync(join(ROOT, file), "utf8");

describe.skipIf(kubeconfig === undefined)(kubeconfig === undefined ? NO_CLUSTER : "manifests", () => {
  it.each(files)("%s is taken by the API server, field by field", async (file) => {
    using api = openKubeApi(kubeconfig ?? "");
    const namespace = `aiep-dry-${randomBytes(4).toString("hex")}`;
    await api.create("/api/v1/namespaces", { metadata: { name: namespace } });
    try {
      for (const document of parseAllDocuments(textOf(file))) {
        const manifest = document.toJS() as Manifest; // checked by the server
        const { name, ...metadata } = manifest.metadata;
        const path = COLLECTIONS[manifest.kind];
        expect(path, manifest.kind).toBeDefined();
        const own = { ...metadata, ...(metadata.namespace === undefined ? {} : { namespace }) };
        await api.create(`${path?.replace("NS", namespace)}?dryRun=All&fieldValidation=Strict`, {
          ...manifest,
          metadata: { ...own, name: `${name}-${namespace}` },
        });
      }
    } finally {
      await api.remove(`/api/v1/namespaces/${namespace}`);
    }
  });

  it("every variable in them is one that the operations page knows", () => {
    const known = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
    const names = files.flatMap((file) => textOf(file).match(/\bAIEP_[A-Z_]+/g) ?? []);
    expect(names.filter((name) => !known.includes(`\`${name.replace(/_FILE$/, "")}\``))).toEqual([]);
  });
});
