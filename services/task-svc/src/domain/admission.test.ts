import {
  type Directory,
  type DirectoryInput,
  directory as directorySchema,
  type ErrorCode,
  type SubmitTaskBody,
  submitTaskBody,
  taskSpec,
} from "@aiep/contracts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AdmissionDirectory, CodePackageFacts } from "./admission/facts.ts";
import { refusalError } from "./admission/refusal.ts";
import { type Admitted, admit } from "./admission.ts";

const SHA = "a".repeat(64);
const PACKAGE = "0123456789abcdef0123456789abcdef";

const document: DirectoryInput = {
  users: [
    { name: "ada", uid: 1001, gid: 100, proxy_users: ["hduser"] },
    { name: "bob", uid: 1002, gid: 100 },
    { name: "vera", uid: 1003, gid: 100 },
    { name: "olga", uid: 1004, gid: 100 },
    { name: "root", uid: 0, gid: 0, roles: ["admin"] },
    { name: "service:workflow", uid: 900, gid: 900, roles: ["service"] },
  ],
  proxy_users: [
    { id: "p1", name: "hduser", uid: 5001, gid: 500 },
    { id: "p2", name: "other", uid: 5002, gid: 500 },
  ],
  groups: [
    {
      id: "vision",
      name: "Vision",
      admin: "ada",
      members: [
        { user: "ada" },
        { user: "bob" },
        { user: "vera", role: "viewer" },
        { user: "service:workflow" },
      ],
      namespaces: ["ns-vision", "ns-ghost"],
    },
    { id: "speech", name: "Speech", admin: "bob", members: [{ user: "bob" }], namespaces: ["ns-speech"] },
  ],
  namespaces: [
    { name: "ns-vision", quota: { cpu: 8, memory_gb: 32, gpu: 2 } },
    { name: "ns-speech", quota: { cpu: 100, memory_gb: 100 } },
  ],
  storage_roots: [
    { path: "/data/ada", owner: "ada" },
    { path: "/data/bob", owner: "bob" },
    { path: "/data/hd", owner: "hduser" },
    { path: "/data/public", writable: false },
  ],
  images: [
    { name: "python", url: "reg/python:3.11" },
    { name: "vision", url: "reg/vision:1", group_id: "vision" },
    { name: "python", url: "reg/vision-python:3.12", group_id: "vision" },
    { name: "speech", url: "reg/speech:1", group_id: "speech" },
  ],
  gpu_types: [
    { name: "a100", resource: "nvidia.com/gpu" },
    { name: "ascend", resource: "huawei.com/npu" },
  ],
  materials: [
    {
      type: "Model",
      group_id: "vision",
      id: "m1",
      version_id: "v1",
      url: "file:///m1.zip",
      sha256: SHA,
      filename: "m1.zip",
    },
    {
      type: "Model",
      group_id: "speech",
      id: "m2",
      version_id: "v1",
      url: "file:///m2.zip",
      sha256: SHA,
      filename: "m2.zip",
    },
  ],
};

function lookups(parsed: Directory): AdmissionDirectory {
  return {
    document: parsed,
    user: (name) => parsed.users.find((user) => user.name === name),
    group: (id) => parsed.groups.find((group) => group.id === id),
    groupsOf: (user) =>
      parsed.groups.flatMap((group) =>
        group.members.filter((member) => member.user === user).map(({ role }) => ({ group, role })),
      ),
  };
}
const directory = lookups(directorySchema.parse(document));

type Body = Parameters<typeof submitTaskBody.parse>[0];
interface Change {
  readonly metadata?: object;
  readonly image_info?: object;
  readonly data_info?: readonly object[];
  readonly compute?: object;
  readonly worker?: object;
  readonly ps?: object;
  readonly code_info?: object;
  readonly material_info?: object;
  readonly set_envs?: object;
  readonly code_package_id?: string;
}

/** A small good submission of ada's, with changes. */
function body(change: Change = {}): SubmitTaskBody {
  const node = { nums: 1, cpu_num: 1, memory: 2 };
  const raw: Body = {
    task_config: {
      metadata: { name: "train", ...change.metadata },
      image_info: change.image_info ?? { name: "vision" },
      ...(change.data_info === undefined ? {} : { data_info: change.data_info }),
      compute_resource_info: {
        model: "Standalone",
        namespace: "ns-vision",
        node_info: {
          worker: { ...node, ...change.worker },
          ...(change.ps === undefined ? {} : { ps: { ...node, ...change.ps } }),
        },
        ...change.compute,
      },
      code_info: { command: "python main.py", ...change.code_info },
      ...(change.material_info === undefined ? {} : { material_info: change.material_info }),
    },
    ...(change.set_envs === undefined ? {} : { set_envs: change.set_envs }),
    ...(change.code_package_id === undefined ? {} : { code_package_id: change.code_package_id }),
  };
  return submitTaskBody.parse(raw);
}

interface Given {
  readonly user?: string;
  readonly codePackage?: CodePackageFacts;
}

function judge(change: Change, { user = "ada", codePackage }: Given = {}) {
  const platformService = directory.user(user)?.roles.includes("service") ?? false;
  return admit({ body: body(change), user, platformService, directory, codePackage });
}

function admitted(change: Change, given?: Given): Admitted {
  const admission = judge(change, given);
  if (admission.kind === "refused") throw refusalError(admission.refusals);
  return admission.admitted;
}

describe("an admitted task", () => {
  test("becomes a spec with every name resolved", () => {
    const result = admitted({
      metadata: { labels: [{ key: "team", value: "a" }] },
      data_info: [
        {
          mlss_platform_parent_dir: "/data/ada/",
          mlss_platform_sub_dir: "in//x/",
          mapping_path: "/in",
          mapping_path_name: "IN",
        },
        { mlss_platform_parent_dir: "/data/ada", access_mode: "ReadWrite" },
        { mlss_platform_parent_dir: "/data/public" },
      ],
      compute: { model: "PS-Worker" },
      worker: { nums: 2, cpu_num: 0.5, memory: 4, gpu_num: 1, gpu_type: "a100" },
      ps: {},
      material_info: { type: "Model", model_id: "m1", model_version_id: "v1" },
      set_envs: { EPOCHS: "3" },
    });
    expect(taskSpec.parse(result.spec)).toEqual({
      mode: "PS-Worker",
      namespace: "ns-vision",
      image: { url: "reg/vision:1", name: "vision" },
      command: "python main.py",
      env: { EPOCHS: "3", IN: "/in" },
      identity: { user: "ada", uid: 1001, gid: 100 },
      roles: [
        { role: "worker", count: 2, cpu: 0.5, memory_gb: 4, gpu: 1, gpu_type: "a100" },
        { role: "ps", count: 1, cpu: 1, memory_gb: 2, gpu: 0, gpu_type: null },
      ],
      mounts: [
        { source: "/data/ada/in/x", target: "/in", read_only: true, env_name: "IN" },
        { source: "/data/ada", target: "/data/ada", read_only: false, env_name: null },
        { source: "/data/public", target: "/data/public", read_only: true, env_name: null },
      ],
      code_package: null,
      material: { url: "file:///m1.zip", sha256: SHA, filename: "m1.zip" },
      run_limit_seconds: 604_800,
    });
    expect(result).toMatchObject({ groupId: "vision", proxyUser: null, labels: { team: "a" }, warnings: [] });
  });

  test("belongs to the sender's only group, and says so in what can be submitted again", () => {
    expect(admitted({}).taskConfig.metadata.group_id).toBe("vision");
  });

  test("runs as the proxy user, named by name or id, with the proxy user's storage", () => {
    const data_info = [{ mlss_platform_parent_dir: "/data/hd" }];
    for (const metadata of [
      { proxy_user: "hduser" },
      { proxy_user_id: "p1" },
      { proxy_user: "hduser", proxy_user_id: "p1" },
    ]) {
      const result = admitted({ metadata, data_info });
      expect(result.spec.identity).toEqual({ user: "hduser", uid: 5001, gid: 500 });
      expect(result.proxyUser).toBe("hduser");
    }
  });

  test("gets the group's own image before a public one of the same name, and either by URL", () => {
    expect(admitted({ image_info: { name: "python" } }).spec.image.url).toBe("reg/vision-python:3.12");
    expect(admitted({ image_info: { url: "reg/python:3.11" } }).spec.image).toEqual({
      url: "reg/python:3.11",
      name: "python",
    });
  });

  test("may take exactly the whole quota, fractions added up", () => {
    const whole = { nums: 10, cpu_num: 0.8, memory: 3.2 };
    expect(admitted({ compute: { model: "DDP", node_info: { worker: whole } } }).spec.roles[0]?.count).toBe(
      10,
    );
  });

  test("is warned about deprecated keys", () => {
    const data_info = [
      { mlss_platform_parent_dir: "/data/ada", cc_storage_name: "x", cc_storage_type: "CEPH" },
    ];
    expect(admitted({ data_info }).warnings).toEqual([
      "data_info[0].cc_storage_name is deprecated since 2024.10 and ignored; remove it.",
      "data_info[0].cc_storage_type is deprecated since 2024.10 and ignored; remove it.",
    ]);
  });

  test("may carry experiment fields when a platform service submits it", () => {
    const metadata = { experiment_id: "e", experiment_run_id: "r", experiment_version_name: "v1" };
    expect(admitted({ metadata }, { user: "service:workflow" }).taskConfig.metadata).toMatchObject(metadata);
  });

  test("uses a code package of its group", () => {
    const codePackage = { id: PACKAGE, groupId: "vision", sha256: SHA, sizeBytes: 7 } as CodePackageFacts; // branded ids
    expect(admitted({ code_package_id: PACKAGE }, { codePackage }).spec.code_package).toEqual({
      id: PACKAGE,
      sha256: SHA,
      size_bytes: 7,
    });
  });
});

describe("refused, with the rule and who can change it", () => {
  const foreign = { id: PACKAGE, groupId: "speech", sha256: SHA, sizeBytes: 7 } as CodePackageFacts; // branded ids
  test.each<[string, ErrorCode, Change, Given, string, RegExp, RegExp]>([
    ["an unknown user", "UNKNOWN_USER", {}, { user: "nobody" }, "", /does not know the user nobody/, /root/],
    [
      "a user without a group",
      "GROUP_REQUIRED",
      {},
      { user: "olga" },
      "/task_config/metadata/group_id",
      /in no group/,
      /root/,
    ],
    [
      "several groups, none named",
      "GROUP_REQUIRED",
      {},
      { user: "bob" },
      "/task_config/metadata/group_id",
      /vision, speech/,
      /root/,
    ],
    [
      "another group",
      "NOT_A_MEMBER",
      { metadata: { group_id: "speech" } },
      {},
      "/task_config/metadata/group_id",
      /not a member/,
      /bob.*Speech/,
    ],
    [
      "a group that does not exist",
      "NOT_A_MEMBER",
      { metadata: { group_id: "ghosts" } },
      {},
      "/task_config/metadata/group_id",
      /no group ghosts/,
      /root/,
    ],
    [
      "an administrator who is no member",
      "NOT_A_MEMBER",
      { metadata: { group_id: "vision" } },
      { user: "root" },
      "/task_config/metadata/group_id",
      /not a member/,
      /ada/,
    ],
    [
      "a viewer",
      "VIEWER_ONLY",
      {},
      { user: "vera" },
      "/task_config/metadata/group_id",
      /only read/,
      /ada.*Vision/,
    ],
    [
      "a namespace of another group",
      "NAMESPACE_NOT_BOUND",
      { compute: { namespace: "ns-speech" } },
      {},
      "/task_config/compute_resource_info/namespace",
      /not bound.*Vision/,
      /root/,
    ],
    [
      "a namespace nobody defined",
      "NAMESPACE_NOT_BOUND",
      { compute: { namespace: "ns-ghost" } },
      {},
      "/task_config/compute_resource_info/namespace",
      /ns-ghost/,
      /root/,
    ],
    [
      "more than the whole quota",
      "QUOTA_EXCEEDED",
      { worker: { cpu_num: 9, memory: 33, gpu_num: 3, gpu_type: "a100" } },
      {},
      "/task_config/compute_resource_info/node_info",
      /9 CPU cores of 8, 33 GB of memory of 32, 3 GPUs of 2/,
      /root/,
    ],
    [
      "storage of another member",
      "STORAGE_NOT_OWNED",
      { data_info: [{ mlss_platform_parent_dir: "/data/bob" }] },
      {},
      "/task_config/data_info/0/mlss_platform_parent_dir",
      /\/data\/bob is not a storage root ada may mount/,
      /root/,
    ],
    [
      "a folder below a root given as a root",
      "STORAGE_NOT_OWNED",
      { data_info: [{ mlss_platform_parent_dir: "/data/ada/x" }] },
      {},
      "/task_config/data_info/0/mlss_platform_parent_dir",
      /\/data\/ada\/x/,
      /root/,
    ],
    [
      "the creator's storage with a proxy user",
      "STORAGE_NOT_OWNED",
      { metadata: { proxy_user: "hduser" }, data_info: [{ mlss_platform_parent_dir: "/data/ada" }] },
      {},
      "/task_config/data_info/0/mlss_platform_parent_dir",
      /proxy user hduser/,
      /root/,
    ],
    [
      "public storage with a proxy user",
      "STORAGE_NOT_OWNED",
      { metadata: { proxy_user: "hduser" }, data_info: [{ mlss_platform_parent_dir: "/data/public" }] },
      {},
      "/task_config/data_info/0/mlss_platform_parent_dir",
      /\/data\/hd\./,
      /root/,
    ],
    [
      "writing to a root that is only read",
      "STORAGE_NOT_OWNED",
      { data_info: [{ mlss_platform_parent_dir: "/data/public", access_mode: "ReadWrite" }] },
      {},
      "/task_config/data_info/0/access_mode",
      /only be read/,
      /root/,
    ],
    [
      "a mount over the root folder",
      "VALIDATION_FAILED",
      { data_info: [{ mlss_platform_parent_dir: "/data/ada", mapping_path: "//" }] },
      {},
      "/task_config/data_info/0/mapping_path",
      /root folder/,
      /Correct/,
    ],
    [
      "another's proxy user",
      "PROXY_USER_UNKNOWN",
      { metadata: { proxy_user: "other" } },
      {},
      "/task_config/metadata/proxy_user",
      /other is not a proxy user of ada; there is hduser/,
      /root/,
    ],
    [
      "another's proxy user by id",
      "PROXY_USER_UNKNOWN",
      { metadata: { proxy_user_id: "p2" } },
      {},
      "/task_config/metadata/proxy_user_id",
      /p2/,
      /root/,
    ],
    [
      "a proxy user whose name and id differ",
      "PROXY_USER_UNKNOWN",
      { metadata: { proxy_user: "hduser", proxy_user_id: "p2" } },
      {},
      "/task_config/metadata/proxy_user_id",
      /do not agree/,
      /Correct/,
    ],
    [
      "an unknown image",
      "IMAGE_UNKNOWN",
      { image_info: { name: "ghost" } },
      {},
      "/task_config/image_info/name",
      /ghost is not registered/,
      /root/,
    ],
    [
      "another group's image",
      "IMAGE_UNKNOWN",
      { image_info: { name: "speech" } },
      {},
      "/task_config/image_info/name",
      /speech is not registered/,
      /root/,
    ],
    [
      "another group's image by URL",
      "IMAGE_UNKNOWN",
      { image_info: { url: "reg/speech:1" } },
      {},
      "/task_config/image_info/url",
      /reg\/speech:1/,
      /root/,
    ],
    [
      "an image whose name and URL differ",
      "IMAGE_UNKNOWN",
      { image_info: { name: "vision", url: "reg/python:3.11" } },
      {},
      "/task_config/image_info/name",
      /vision with the URL reg\/python/,
      /root/,
    ],
    [
      "an unknown GPU type",
      "GPU_TYPE_UNKNOWN",
      { worker: { gpu_num: 1, gpu_type: "tpu" } },
      {},
      "/task_config/compute_resource_info/node_info/worker/gpu_type",
      /tpu.*a100, ascend/,
      /root/,
    ],
    [
      "GPUs of no type",
      "GPU_TYPE_UNKNOWN",
      { worker: { gpu_num: 1 } },
      {},
      "/task_config/compute_resource_info/node_info/worker/gpu_type",
      /without gpu_type/,
      /root/,
    ],
    [
      "unknown material",
      "MATERIAL_UNKNOWN",
      { material_info: { type: "Model", model_id: "m9", model_version_id: "v1" } },
      {},
      "/task_config/material_info",
      /no Model m9/,
      /root/,
    ],
    [
      "another group's material",
      "MATERIAL_UNKNOWN",
      { material_info: { type: "Model", group_id: "speech", model_id: "m2", model_version_id: "v1" } },
      {},
      "/task_config/material_info",
      /m2/,
      /root/,
    ],
    [
      "an experiment field from a person",
      "RESERVED_FIELD",
      { metadata: { experiment_run_id: "r" } },
      {},
      "/task_config/metadata/experiment_run_id",
      /set by the platform/,
      /Correct/,
    ],
    [
      "an unknown code package",
      "CODE_PACKAGE_NOT_FOUND",
      { code_package_id: PACKAGE },
      {},
      "/code_package_id",
      /no code package/,
      /Correct/,
    ],
    [
      "another group's code package",
      "CODE_PACKAGE_NOT_FOUND",
      { code_package_id: PACKAGE },
      { codePackage: foreign },
      "/code_package_id",
      /no code package/,
      /Correct/,
    ],
    [
      "a rule between fields",
      "VALIDATION_FAILED",
      { worker: { nums: 2 } },
      {},
      "/task_config/compute_resource_info/node_info/worker/nums",
      /exactly 1 node/,
      /Correct/,
    ],
    [
      "one variable set twice",
      "VALIDATION_FAILED",
      {
        set_envs: { IN: "1" },
        data_info: [{ mlss_platform_parent_dir: "/data/ada", mapping_path_name: "IN" }],
      },
      {},
      "/task_config/data_info/0/mapping_path_name",
      /already set by set_envs/,
      /Correct/,
    ],
    [
      "one label twice",
      "VALIDATION_FAILED",
      {
        metadata: {
          labels: [
            { key: "a", value: "1" },
            { key: "a", value: "2" },
          ],
        },
      },
      {},
      "/task_config/metadata/labels/1/key",
      /twice/,
      /Correct/,
    ],
    [
      "a label that steers the cluster",
      "VALIDATION_FAILED",
      {
        metadata: {
          labels: [
            { key: "app.example.com/run", value: "1" },
            { key: "kueue.x-k8s.io/queue-name", value: "best" },
          ],
        },
      },
      {},
      "/task_config/metadata/labels/1/key",
      /choose a key of your own/,
      /Correct/,
    ],
    [
      "a NUL in a variable",
      "VALIDATION_FAILED",
      { set_envs: { A: "x\0" } },
      {},
      "/set_envs/A",
      /NUL/,
      /Correct/,
    ],
    [
      "a NUL in the command",
      "VALIDATION_FAILED",
      { code_info: { command: "a\0b" } },
      {},
      "/task_config/code_info/command",
      /NUL/,
      /Correct/,
    ],
  ])("%s: %s", (_, code, change, given, pointer, detail, hint) => {
    const admission = judge(change, given);
    if (admission.kind !== "refused") throw new Error("was admitted");
    const error = refusalError(admission.refusals);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(detail);
    expect(error.hint).toMatch(hint);
    expect(error.errors.map((each) => each.pointer)).toContain(pointer);
  });

  test("tells asked and limit of each resource over the quota", () => {
    const admission = judge({ worker: { cpu_num: 9, memory: 33 } });
    if (admission.kind !== "refused") throw new Error("was admitted");
    expect(refusalError(admission.refusals).extensions).toEqual({
      resources: [
        { resource: "cpu", asked: 9, limit: 8 },
        { resource: "memory_gb", asked: 33, limit: 32 },
      ],
    });
  });

  test("all at once, the gravest first", () => {
    const admission = judge({
      metadata: { experiment_id: "e", proxy_user: "other" },
      image_info: { name: "ghost" },
      compute: { namespace: "ns-speech" },
      worker: { nums: 2, gpu_num: 1, gpu_type: "tpu" },
      material_info: { type: "Model", model_id: "m9", model_version_id: "v1" },
      code_package_id: PACKAGE,
    });
    if (admission.kind !== "refused") throw new Error("was admitted");
    const error = refusalError(admission.refusals);
    expect(error.code).toBe("VALIDATION_FAILED");
    expect(error.message).toMatch(/and 7 more/);
    expect(error.errors.map((each) => each.code)).toEqual([
      "INVALID",
      "RESERVED_FIELD",
      "NAMESPACE_NOT_BOUND",
      "PROXY_USER_UNKNOWN",
      "IMAGE_UNKNOWN",
      "GPU_TYPE_UNKNOWN",
      "MATERIAL_UNKNOWN",
      "CODE_PACKAGE_NOT_FOUND",
    ]);
  });

  test("to somebody without standing nothing of the group is told", () => {
    const admission = judge({
      metadata: { group_id: "speech" },
      compute: { namespace: "x" },
      image_info: { name: "y" },
    });
    if (admission.kind !== "refused") throw new Error("was admitted");
    expect(admission.refusals.map(({ code }) => code)).toEqual(["NOT_A_MEMBER"]);
  });
});

test("admission always answers: a valid spec, or at least one refusal with a known code and a hint", () => {
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const defined = (value: Record<string, unknown>): object =>
    Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
  const metadata = fc
    .record({
      group_id: maybe(fc.constantFrom("vision", "speech", "ghosts")),
      proxy_user: maybe(fc.constantFrom("hduser", "other", "x")),
      proxy_user_id: maybe(fc.constantFrom("p1", "p2")),
      experiment_id: maybe(fc.constant("e")),
    })
    .map(defined);
  const image_info = fc
    .record({
      name: maybe(fc.constantFrom("python", "speech", "x")),
      url: maybe(fc.constantFrom("reg/python:3.11", "z")),
    })
    .map(defined);
  const entry = fc
    .record({
      mlss_platform_parent_dir: fc.constantFrom("/data/ada", "/data/hd", "/data/public", "/x", "/"),
      mlss_platform_sub_dir: maybe(fc.constantFrom("a", "a/b/", "")),
      mapping_path: maybe(fc.constantFrom("", "/", "/in")),
      mapping_path_name: maybe(fc.constantFrom("IN", "RANK")),
      access_mode: fc.constantFrom("Read", "ReadWrite"),
    })
    .map(defined);
  const node = fc
    .record({
      nums: fc.integer({ min: 1, max: 20 }),
      cpu_num: fc.constantFrom(0.1, 1, 9),
      memory: fc.constantFrom(0.5, 2, 40),
      gpu_num: maybe(fc.integer({ min: 0, max: 4 })),
      gpu_type: maybe(fc.constantFrom("a100", "tpu")),
    })
    .map(defined);
  const change = fc.record({
    metadata,
    image_info,
    data_info: fc.array(entry, { maxLength: 3 }),
    compute: fc.record({
      model: fc.constantFrom("Standalone", "DDP", "PS-Worker"),
      namespace: fc.constantFrom("ns-vision", "ns-ghost", "x"),
      node_info: fc.oneof(fc.record({ worker: node }), fc.record({ worker: node, ps: node })),
    }),
    set_envs: fc.dictionary(fc.constantFrom("IN", "A"), fc.string(), { maxKeys: 2 }),
  });
  const user = fc.constantFrom("ada", "bob", "vera", "root", "service:workflow", "nobody");
  fc.assert(
    fc.property(change, user, (given, sender) => {
      const admission = judge(given, { user: sender });
      if (admission.kind === "admitted") {
        taskSpec.parse(admission.admitted.spec);
        submitTaskBody.parse({ task_config: admission.admitted.taskConfig });
        return;
      }
      const error = refusalError(admission.refusals);
      expect(error.entry.status).toBeLessThan(500);
      expect(error.hint).not.toBe("");
      expect(error.errors).toHaveLength(admission.refusals.length);
    }),
  );
});
