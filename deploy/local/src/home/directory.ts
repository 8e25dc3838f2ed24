import { createHash } from "node:crypto";
import { chmod, chown, copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type DirectoryInput, directory, directoryProblems, groupId } from "@aiep/contracts";
import { stringify } from "yaml";
import { readIfThere, writeAtomic } from "./files.ts";
import type { Layout } from "./layout.ts";
import { type KubernetesStack, LOCAL_RUNTIME, type StackRuntime } from "./runtime.ts";
import { ensureComponents } from "./warehouse.ts";

/*
 * The first directory document of a local stack (D29). Written once; from then on it is the user's to edit, and the
 * services reload it while they run.
 */

const GROUP = groupId.parse("gp-demo");
const SAMPLE = { id: "sample-model", version: "v1", filename: "sample-model.zip" } as const;

/** Who a user of the directory is on this machine. Only root can become somebody else. */
interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** Above the range that distributions give to people, below what containers use. */
const FIRST_UID = 20_001;

export async function ensureDirectory(
  layout: Layout,
  sample: string,
  runtime: StackRuntime = LOCAL_RUNTIME,
): Promise<void> {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const root = own.uid === 0;
  const ids = (index: number): Ids =>
    root ? { uid: FIRST_UID + index, gid: FIRST_UID + index } : { uid: own.uid, gid: own.gid };
  const alice = ids(0);
  const proxy = ids(10);
  await ensureStorage(layout, [
    { name: "alice", owner: alice },
    { name: "bob", owner: ids(1) },
    { name: "svc-train", owner: proxy },
    { name: "public", owner: own, everybody: true },
  ]);
  const material = join(layout.storageDir, "materials", SAMPLE.filename);
  if ((await readIfThere(material)) === undefined) {
    await mkdir(join(layout.storageDir, "materials"), { recursive: true });
    await copyFile(sample, material);
  }
  await ensureComponents(layout);
  if ((await readIfThere(layout.directoryFile)) !== undefined) return;
  const document = {
    ...template(layout, { ids, proxy }, material, await sha256(material), namespaceNames(runtime)),
    ...(runtime.kind === "kubernetes" ? inCluster(layout, runtime) : {}),
  };
  const problems = directoryProblems(directory.parse(document));
  if (problems.length > 0) throw new Error(`the directory's template is wrong: ${problems.join("; ")}`);
  await writeAtomic(layout.directoryFile, `${HEADER}${stringify(document)}`);
}

const HEADER = `# Who is who on this local stack and what they may use. Edit it while the stack runs: a valid version is taken over within
# two seconds, an invalid one is refused with a line in log/task-svc.log and the old one stays.
# Every key is described in the contracts (libs/contracts/src/directory.ts).
`;

function template(
  layout: Layout,
  { ids, proxy }: { readonly ids: (index: number) => Ids; readonly proxy: Ids },
  material: string,
  materialSha256: string,
  groupNamespaces: string[],
): DirectoryInput {
  const storage = (name: string, owner: string | null) => storageRoot(layout, name, owner);
  return {
    users: [
      { name: "alice", ...ids(0), proxy_users: ["svc-train"] },
      { name: "bob", ...ids(1) },
      { name: "carol", ...ids(2) },
      { name: "admin", ...ids(3), roles: ["admin"] },
    ],
    proxy_users: [{ id: "pu-1", name: "svc-train", ...proxy }],
    groups: [
      {
        id: GROUP,
        name: "Demo",
        admin: "admin",
        members: [{ user: "alice" }, { user: "bob" }, { user: "admin" }, { user: "carol", role: "viewer" }],
        namespaces: groupNamespaces,
      },
    ],
    namespaces: namespaces("ns-demo", "ns-small"),
    storage_roots: [
      storage("alice", "alice"),
      storage("bob", "bob"),
      storage("svc-train", "svc-train"),
      storage("public", null),
    ],
    images: [
      {
        name: "python3",
        url: "local/python3:system",
        python_environment: "the machine's own python3",
        default_for_python: true,
      },
    ],
    materials: [
      {
        type: "Model",
        group_id: GROUP,
        id: SAMPLE.id,
        version_id: SAMPLE.version,
        url: pathToFileURL(material).href,
        sha256: materialSha256,
        filename: SAMPLE.filename,
      },
    ],
  };
}

/** What is different where tasks are pods: namespaces and images are the cluster's, folders are there only on its own machine. */
function inCluster(layout: Layout, runtime: KubernetesStack): Partial<DirectoryInput> {
  const { demo, small } = runtime.namespaces;
  const folders = ["alice", "bob", "svc-train"].map((name) => storageRoot(layout, name, name));
  return {
    namespaces: namespaces(demo, small),
    storage_roots: runtime.same_machine ? [...folders, storageRoot(layout, "public", null)] : [],
    images: [
      {
        name: "python3",
        url: runtime.image,
        python_environment: "the image's own python3",
        default_for_python: true,
      },
    ],
  };
}

const namespaceNames = (runtime: StackRuntime): string[] =>
  runtime.kind === "local" ? ["ns-demo", "ns-small"] : Object.values(runtime.namespaces);

const namespaces = (demo: string, small: string): DirectoryInput["namespaces"] => [
  { name: demo, quota: { cpu: 16, memory_gb: 32, gpu: 0 } },
  { name: small, quota: { cpu: 1, memory_gb: 1, gpu: 0 } },
];

const storageRoot = (layout: Layout, name: string, owner: string | null) => ({
  path: `/data/aiep/${name}`,
  owner,
  host_path: join(layout.storageDir, name),
  writable: true,
});

async function ensureStorage(
  layout: Layout,
  folders: readonly { readonly name: string; readonly owner: Ids; readonly everybody?: true }[],
): Promise<void> {
  for (const { name, owner, everybody } of folders) {
    const path = join(layout.storageDir, name);
    if ((await mkdir(path, { recursive: true })) === undefined) continue; // it was there: its owner is the user's affair
    if (process.getuid?.() === 0) await chown(path, owner.uid, owner.gid);
    if (everybody) await chmod(path, 0o1777); // as /tmp: everybody writes, each deletes only their own
  }
}

async function sha256(file: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
}
