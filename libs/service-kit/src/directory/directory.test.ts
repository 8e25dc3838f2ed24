import { mkdtempSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "@aiep/dev-servers";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { principalOf } from "../auth/principal.ts";
import { DirectoryIndex } from "./directory-index.ts";
import { openDirectory, parseDirectory } from "./directory-source.ts";

const TEXT = `
users:
  - { name: alice, uid: 1001, gid: 1001, proxy_users: [hduser], roles: [admin] }
  - { name: bob, uid: 1002, gid: 1002 }
proxy_users:
  - { id: p1, name: hduser, uid: 2001, gid: 2001 }
groups:
  - { id: g1, name: 视觉组, admin: alice, members: [{ user: alice }, { user: bob, role: viewer }], namespaces: [ns-g1] }
  - { id: g2, name: other, admin: alice, members: [{ user: alice }] }
namespaces:
  - { name: ns-g1, quota: { cpu: 4, memory_gb: 8 } }
storage_roots:
  - { path: /data }
  - { path: /data/alice, owner: alice }
images:
  - { name: pytorch, url: "registry/pytorch:2" }
  - { name: pytorch, url: "registry/g1/pytorch:2", group_id: g1 }
`;

const index = new DirectoryIndex(parseDirectory(TEXT));

describe("directory index", () => {
  test("finds users with their groups and roles, groups and namespaces", () => {
    expect(index.user("alice")?.uid).toBe(1001);
    expect(index.groupsOf("alice").map(({ group }) => group.id)).toEqual(["g1", "g2"]);
    expect(index.groupsOf("bob")).toMatchObject([{ group: { id: "g1" }, role: "viewer" }]);
    expect(index.groupsOf("nobody")).toEqual([]);
    expect(index.group("g1")?.id).toBe("g1");
    expect(index.namespace("ns-g1")?.quota.cpu).toBe(4);
  });

  test("a principal is what the directory says; a stranger is UNKNOWN_USER", () => {
    expect(principalOf(index, "alice")).toMatchObject({ uid: 1001, isAdmin: true, isService: false });
    expect(() => principalOf(index, "mallory")).toThrow(expect.objectContaining({ code: "UNKNOWN_USER" }));
  });
});

describe("directory file", () => {
  const file = () => {
    const path = join(mkdtempSync(join(tmpdir(), "directory-")), "directory.yaml");
    writeFileSync(path, TEXT);
    return path;
  };

  test("a changed file is served without a restart; an invalid one is refused and the old one stays", async () => {
    const path = file();
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    await using source = await openDirectory(path, log);
    const changes: DirectoryIndex[] = [];
    source.onChange((next) => changes.push(next));

    writeFileSync(path, TEXT.replace("members: [{ user: alice }]", "members: [{ user: nobody }]"));
    await waitFor("the refusal is logged", () => lines.some((line) => line.includes("unknown user nobody")));
    expect(source.current().user("bob")?.uid).toBe(1002);

    writeFileSync(`${path}.new`, TEXT.replace("uid: 1002", "uid: 4002"));
    renameSync(`${path}.new`, path);
    await waitFor("the new version is served", () => source.current().user("bob")?.uid === 4002);
    expect(changes).toHaveLength(1);
  });

  test("a first version that is not valid stops the start with every problem", async () => {
    const path = file();
    writeFileSync(path, "users: []\nfoo: 1\n");
    await expect(openDirectory(path, pino({ level: "silent" }))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/groups.*foo/s),
    });
  });
});
