import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { nearest } from "@aiep/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { complete } from "../commands/complete.ts";
import { Workplace } from "../testing/run.ts";
import type { CommandNode } from "./command.ts";
import { renderHelp } from "./help.ts";
import { childOf, parseArguments } from "./options.ts";
import { GLOBAL_OPTIONS, ROOT } from "./tree.ts";

const grammar = { root: ROOT, globals: GLOBAL_OPTIONS, nearest };
const parsed = (...argv: string[]) => {
  const result = parseArguments(argv, grammar);
  if (result.kind !== "command") throw new Error("no command");
  return result;
};

function* everyNode(
  node: CommandNode,
  path: readonly string[] = [],
): Generator<[readonly string[], CommandNode]> {
  yield [path, node];
  if (node.kind === "group")
    for (const child of node.commands) yield* everyNode(child, [...path, child.name]);
}

describe("the command line", () => {
  it("takes the documents' underscores and dashes alike", () => {
    for (const argv of [
      ["--task_config", "f", "--set_envs", "A=1"],
      ["--task-config=f", "--set-envs=A=1"],
      ["-f", "f", "--set-envs", "A=1"],
      ["-ff", "--set_envs=A=1"],
    ]) {
      const { options } = parsed("mltask", "run", ...argv);
      expect([options.text("task-config"), options.list("set-envs")]).toEqual(["f", ["A=1"]]);
    }
  });

  it("knows its aliases and global options before the command", () => {
    expect(parsed("--context", "uat", "task", "ls", "-ojson")).toMatchObject({ path: ["mltask", "list"] });
    expect(parsed("mlt", "rm", "abcd", "-y").args).toEqual(["abcd"]);
    expect(parsed("-vv", "version").options.count("verbose")).toBe(2);
  });

  it("takes everything after -- as it is", () => {
    expect(parsed("mltask", "status", "--", "-x").args).toEqual(["-x"]);
  });

  it("has no two options of one name or letter in any command", () => {
    for (const [path, node] of everyNode(ROOT)) {
      if (node.kind === "group") continue;
      const all = [...node.options, ...GLOBAL_OPTIONS];
      const names = all.flatMap(({ name, short }) => (short === undefined ? [name] : [name, `-${short}`]));
      expect(new Set(names).size, path.join(" ")).toBe(names.length);
    }
  });

  it("only ever answers bad words with a usage error", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(
        "mltask",
        "run",
        "-f",
        "--",
        "-",
        "--output",
        "-o",
        "list",
        "--set_envs",
        "=",
        "--=",
        "-vvq",
        "__complete",
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (argv) => {
        try {
          parseArguments(argv, grammar);
        } catch (error) {
          expect(error).toMatchObject({ code: "USAGE", exitCode: 2 });
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("help", () => {
  it("of every command begins with what it does and an example, and is what it was", async () => {
    const pages = [...everyNode(ROOT)]
      .filter(([, node]) => node.kind === "group" || node.hidden !== true)
      .map(
        ([path, node]) =>
          `$ aiepctl ${[...path, "--help"].join(" ")}\n${renderHelp(node, path, path.length === 0 ? GLOBAL_OPTIONS : [])}`,
      );
    await expect(pages.join("\n")).toMatchFileSnapshot("fixtures/help.txt");
  });

  it("goes to stdout when asked for, to stderr with exit code 2 when a command is missing", async () => {
    await using place = await Workplace.create();
    expect(await place.run(["mltask", "--help"])).toMatchObject({ code: 0, stderr: "" });
    expect(await place.run(["mltask"])).toMatchObject({ code: 2, stdout: "" });
  });
});

it("every command that messages and pages of this repository name is there", () => {
  const root = join(import.meta.dirname, "../../../..");
  const files = ["README.md", "docs/*.md", "libs/contracts/src/errors.ts", "{services,deploy}/*/src/**/*.ts"];
  const wrong: string[] = [];
  let checked = 0;
  for (const path of globSync(files, { cwd: root }))
    for (const [named, first = "", second] of readFileSync(join(root, path), "utf8").matchAll(
      /aiepctl ([a-z]+)(?: ([a-z][a-z-]*))?/g,
    )) {
      const group = childOf(ROOT, first);
      if (group?.kind !== "group" || second === undefined) continue;
      checked++;
      if (childOf(group, second) === undefined) wrong.push(`${path}: ${named}`);
    }
  expect(checked).toBeGreaterThan(50);
  expect(wrong).toEqual([]);
});

describe("completion", () => {
  const words = (...typed: string[]) => {
    const wanted = complete(typed);
    return wanted.kind === "known" ? wanted.candidates.map(([word]) => word) : wanted.kind;
  };

  it("offers commands, options, choices and what a value is", () => {
    expect(words("")).toEqual([
      "mltask",
      "workflow",
      "schedule",
      "trigger",
      "events",
      "config",
      "doctor",
      "completion",
      "version",
    ]);
    expect(words("schedule", "create", "--overlap", "")).toEqual(["skip", "queue", "cancel_old", "allow"]);
    expect(words("mltask", "run", "--")).toContain("--upload-code");
    expect(words("mltask", "list", "--state", "")).toContain("Running");
    expect(words("mltask", "run", "-f", "")).toBe("files");
    expect(words("mltask", "stop", "abcd", "")).toBe("task");
    expect(words("mltask", "explain", "")).toBe("field");
    expect(words("completion", "")).toEqual(["bash", "zsh", "fish"]);
  });

  it("works in bash, for --option=value too, and leaves file names to the shell", async () => {
    await using place = await Workplace.create();
    const main = new URL("../main.ts", import.meta.url).pathname;
    const program = `#!/bin/sh\nexec "${process.execPath}" --conditions=aiep:source "${main}" "$@"\n`;
    const path = await place.write("aiepctl", program, 0o755);
    const script = (await place.run(["completion", "bash"])).stdout;
    const complete = async (...typed: string[]) => {
      const ask = `compopt() { echo files; }; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _aiepctl; echo "\${COMPREPLY[*]}"`;
      const answer = await promisify(execFile)("bash", ["-c", `${script}${ask}`, "bash", path, ...typed]);
      return answer.stdout.trim();
    };
    expect(await complete("mltask", "st")).toBe("stop status");
    expect(await complete("mltask", "init", "--mode", "d")).toBe("ddp");
    expect(await complete("mltask", "init", "--mode", "=", "d")).toBe("ddp");
    expect(await complete("mltask", "init", "--mode", "=")).toBe("standalone ddp ps-worker");
    expect(await complete("mltask", "run", "--task-config", "=", "d")).toBe("files");
  });

  it("marks file names by a word that a shell can compare", async () => {
    await using place = await Workplace.create();
    expect((await place.run(["__complete", "--", "mltask", "run", "-f", ""])).stdout).toBe(":files\n");
  });

  it("never breaks the line being typed", async () => {
    await using place = await Workplace.create();
    const env = { AIEPCTL_CONFIG: "" };
    expect(await place.run(["__complete", "--", "mltask", "stop", ""], { env })).toMatchObject({
      code: 0,
      stdout: "",
    });
    expect((await place.run(["__complete", "--", "mltask", "de"], { env })).stdout).toContain("describe\t");
    for (const shell of ["bash", "zsh", "fish"])
      expect((await place.run(["completion", shell])).stdout).toContain("__complete");
  });
});
