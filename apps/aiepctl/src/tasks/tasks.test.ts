import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { parseTaskFile } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import { signToken } from "../config/token.ts";
import { Workplace } from "../testing/run.ts";
import { renderTaskFile } from "./task-template.ts";
import { zipFolder } from "./zip-folder.ts";

describe("a new task file", () => {
  it.each(["standalone", "ddp", "ps-worker"] as const)(
    "of mode %s is valid as it is written, and filled with what is known",
    (mode) => {
      expect(parseTaskFile(renderTaskFile(mode, {}), { file: "t" })).toMatchObject({
        ok: true,
        warnings: [],
      });
      const facts = { groupId: "0123", namespace: "ns-1", image: "a: b", storageRoot: "/data" };
      expect(parseTaskFile(renderTaskFile(mode, facts), { file: "t" })).toMatchObject({
        ok: true,
        file: { metadata: { group_id: "0123" }, image_info: { name: "a: b" } },
      });
    },
  );
});

describe("a packed folder", () => {
  it("is the same bytes for the same files, and a zip others can read", async () => {
    await using place = await Workplace.create();
    await mkdir(join(place.folder, "code/包/.git"), { recursive: true });
    await place.write("code/main.py", "print(1)\n");
    await place.write("code/包/empty", "");
    await place.write("code/包/run.sh", "#!/bin/sh\n", 0o755);
    await place.write("code/包/.git/config", "secret");
    const zip = await zipFolder(join(place.folder, "code"));
    expect(await zipFolder(join(place.folder, "code"))).toEqual(zip);
    const path = await place.write("code.zip", zip);
    const list = execFileSync("python3", [
      "-c",
      "import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);print(z.testzip(),[(i.filename,i.file_size,oct(i.external_attr>>16)) for i in z.infolist()])",
      path,
    ]);
    expect(list.toString().trim()).toBe(
      "None [('main.py', 9, '0o100644'), ('包/empty', 0, '0o100644'), ('包/run.sh', 10, '0o100755')]",
    );
  });

  it("is refused when a link leads out of it, or when it is empty", async () => {
    await using place = await Workplace.create();
    await mkdir(join(place.folder, "code"));
    await expect(zipFolder(join(place.folder, "code"))).rejects.toThrow("cannot be packed");
    await symlink("/etc/passwd", join(place.folder, "code/link"));
    await expect(zipFolder(join(place.folder, "code"))).rejects.toMatchObject({
      why: "the link leads out of the folder",
    });
  });
});

describe("a token signed here", () => {
  it("is an ES256 JWT of five minutes with the contracts' audience", () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const token = signToken(
      { key: privateKey, keyId: "k1" },
      { user: "alice", issuer: undefined, keyId: undefined },
      new Date(1_700_000_000_000),
    );
    const [header = "", claims = "", signature = ""] = token.split(".");
    const read = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString());
    expect(read(header)).toEqual({ alg: "ES256", typ: "JWT", kid: "k1" });
    expect(read(claims)).toMatchObject({
      iss: "aiep-local",
      aud: "aiep",
      sub: "alice",
      iat: 1_700_000_000,
      exp: 1_700_000_300,
    });
    const key = { key: createPublicKey(privateKey), dsaEncoding: "ieee-p1363" } as const;
    expect(
      verify("sha256", Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, "base64url")),
    ).toBe(true);
  });
});
