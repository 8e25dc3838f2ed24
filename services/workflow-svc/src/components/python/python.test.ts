import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SubmitTaskBody } from "@aiep/contracts";
import { describe, expect, it } from "vitest";
import type { ManifestObject } from "../component.ts";
import { contextOf } from "../testing/context.ts";
import { createPython } from "./component.ts";

const python = createPython({ defaultImage: (group) => (group === "g1" ? "python3" : undefined) });
const settings = {
  script: { source_code: "print(1)\n" },
  compute_resource_info: { namespace: "ns-demo" },
};

function taskOf(manifest: ManifestObject): SubmitTaskBody {
  const prepared = python.toTask(contextOf(manifest));
  if (prepared.kind === "failed") throw new Error(prepared.message);
  return prepared.value;
}

describe("a python node", () => {
  it("sends its text as main.py and starts it as documented, in the default image, with little", () => {
    const { code_files, task_config: config } = taskOf(settings);
    expect(code_files).toEqual({ "main.py": "print(1)\n" });
    expect(config.code_info.command).toMatch(/\npython \$\{UPLOAD_CODE_DIR\}\/main\.py$/);
    expect(config.image_info).toEqual({ name: "python3" });
    expect(config.compute_resource_info).toEqual({
      model: "Standalone",
      namespace: "ns-demo",
      node_info: { worker: { nums: 1, cpu_num: 1, memory: 2 } },
    });
  });

  it("runs where there is python3 and no python, and with python where there is one", () => {
    const dir = mkdtempSync(join(tmpdir(), "aiep-python-"));
    try {
      const { task_config: config } = taskOf({
        ...settings,
        script: { source_code: "x", command: "python main.py a" },
      });
      const shell = (path: string) =>
        execFileSync("/bin/sh", ["-c", config.code_info.command], { env: { PATH: path }, encoding: "utf8" });
      const fake = (name: string) => {
        const path = join(dir, `only-${name}`);
        writeFileSync(path, `#!/bin/sh\necho ${name} "$@"\n`, { mode: 0o755 });
        execFileSync("mkdir", [`${path}-bin`]);
        symlinkSync(path, join(`${path}-bin`, name));
        return `${path}-bin`;
      };
      expect(shell(fake("python3"))).toBe("python3 main.py a\n");
      expect(shell(fake("python"))).toBe("python main.py a\n");
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it("says what to do in a group without a default image", () => {
    const elsewhere = createPython({ defaultImage: () => undefined }).toTask(contextOf(settings));
    expect(elsewhere).toMatchObject({ kind: "failed", failure: "validation", reason: "NoPythonImage" });
  });

  it("takes an image, mounts and variables of its own", () => {
    const { task_config: config, set_envs } = taskOf({
      ...settings,
      image_info: { url: "registry.example/py:3" },
      data_info: [
        { mlss_platform_parent_dir: "/data/alice", mapping_path: "/mnt/x", access_mode: "ReadWrite" },
      ],
      set_envs: { A: "b" },
    });
    expect(config.image_info).toEqual({ url: "registry.example/py:3" });
    expect(config.data_info).toMatchObject([{ mapping_path: "/mnt/x", access_mode: "ReadWrite" }]);
    expect(set_envs).toEqual({ A: "b" });
  });

  it.each([
    ["no code", { ...settings, script: {} }, /source_code/],
    [
      "more code than a command carries",
      { ...settings, script: { source_code: "字".repeat(100_000) } },
      /256 KiB/,
    ],
    [
      "more than one node",
      {
        ...settings,
        compute_resource_info: { namespace: "n", node_info: { worker: { nums: 2, cpu_num: 1, memory: 1 } } },
      },
      /nums/,
    ],
  ])("with %s is refused", (_what, manifest, message) => {
    const answer = python.toTask(contextOf(manifest));
    expect(answer).toMatchObject({
      kind: "failed",
      failure: "validation",
      message: expect.stringMatching(message),
    });
  });
});
