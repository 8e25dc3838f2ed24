import { expect, test } from "vitest";
import { zip } from "../../code-packages/testing/zip.ts";
import { dataMount, MASTER_LAST, run, type StageFactory, untilLog, userText, workload } from "./stage.ts";

export function describeFolders(openStage: StageFactory): void {
  test("the command runs as the task's user, and its log says so first", async (context) => {
    await using stage = await openStage();
    context.skip(!stage.can.switchUser, "cannot switch users here");
    const task = workload(
      stage,
      "id -u; id -g; id -G; touch $HOME/mine $UPLOAD_CODE_DIR/mine && echo written",
    );
    await run(stage, task);
    const log = await untilLog(stage, task);
    const { uid, gid } = stage.identity;
    expect(userText(log)).toBe(`${uid}\n${gid}\n${gid}\nwritten\n`);
    expect(log.stdout.toString()).toMatch(new RegExp(`^\\[aiep\\] .*uid ${uid}, gid ${gid}`, "m"));
  });

  test("a mount that may be written is written, under its target and its variable", async () => {
    await using stage = await openStage();
    stage.storage.write("in.txt", "from outside");
    const task = workload(stage, `cat ${stage.storage.target}/in.txt; echo inside > $DATA/out.txt`, {
      spec: { mounts: [dataMount(stage)] },
    });
    expect((await run(stage, task))[0]).toMatchObject({ state: "Succeeded" });
    expect(userText(await untilLog(stage, task))).toContain("from outside");
    expect(stage.storage.read("out.txt")).toBe("inside\n");
  });

  test("a read-only mount cannot be written, or is refused where that cannot be had", async () => {
    await using stage = await openStage();
    stage.storage.write("in.txt", "kept");
    const task = workload(stage, "cat $DATA/in.txt; echo changed > $DATA/in.txt", {
      spec: { mounts: [dataMount(stage, true)] },
    });
    const [node] = await run(stage, task);
    if (stage.can.readOnlyMounts) expect(node).toMatchObject({ state: "Failed", reason: "NonZeroExit" });
    else expect(node).toMatchObject({ state: "Failed", reason: "MountRefused", exitCode: null });
    expect(stage.storage.read("in.txt")).toBe("kept");
  });

  test.each([
    ["written", false],
    ["read", true],
  ])(
    "a mount to be %s whose folder is missing ends the node with MountRefused, names it and makes nothing",
    async (_, readOnly) => {
      await using stage = await openStage();
      const missing = { ...dataMount(stage, readOnly), source: `${stage.storage.source}/not-there` };
      const task = workload(stage, "true", { spec: { mounts: [missing] } });
      const [node] = await run(stage, task);
      expect(node).toMatchObject({
        state: "Failed",
        reason: "MountRefused",
        exitCode: null,
        startedAt: null,
      });
      expect(node?.message).toContain("not-there");
      expect((await untilLog(stage, task)).stdout.toString()).toMatch(/^\[aiep\] .*not-there/m);
      expect(stage.storage.read("not-there")).toBe("");
    },
  );

  test("the code package is unpacked where UPLOAD_CODE_DIR says, on every node its own", async () => {
    await using stage = await openStage();
    const code = stage.registerCode(
      zip([
        { name: "main.sh", content: "echo from the package\n" },
        { name: "lib/data.txt", content: "deep" },
      ]),
    );
    const script = `sh $UPLOAD_CODE_DIR/main.sh; cat $UPLOAD_CODE_DIR/lib/data.txt; mkdir $UPLOAD_CODE_DIR/own || exit
${MASTER_LAST}`;
    const spec = { code_package: code, mounts: [dataMount(stage)] };
    const task = workload(stage, script, { mode: "DDP", workers: 2, spec });
    expect((await run(stage, task)).map(({ state }) => state)).toEqual(["Succeeded", "Succeeded"]);
    const log = await untilLog(stage, task);
    expect(userText(log)).toBe("from the package\ndeep\n");
    expect(log.stdout.toString()).toMatch(/^\[aiep\] code package .*2 files/m);
  });

  test("a code package that is not the one uploaded ends the node with CodePackageInvalid", async () => {
    await using stage = await openStage();
    const code = { ...stage.registerCode(zip([{ name: "a", content: "a" }])), sha256: "0".repeat(64) };
    const [node] = await run(stage, workload(stage, "true", { spec: { code_package: code } }));
    expect(node).toMatchObject({ state: "Failed", reason: "CodePackageInvalid", exitCode: null });
  });

  test("material lies where its two variables say, as the file it is", async () => {
    await using stage = await openStage();
    const material = stage.registerMaterial(Buffer.from("a model"));
    const task = workload(stage, 'cat "$DEPEND_RESOURCE_PATH/$DEPEND_RESROUCE_FILENAME"', {
      spec: { material },
    });
    expect((await run(stage, task))[0]).toMatchObject({ state: "Succeeded" });
    expect(userText(await untilLog(stage, task))).toBe("a model\n");
  });

  test("material with another checksum ends the node with MaterialInvalid before the command", async () => {
    await using stage = await openStage();
    const material = { ...stage.registerMaterial(Buffer.from("a model")), sha256: "0".repeat(64) };
    const [node] = await run(stage, workload(stage, "true", { spec: { material } }));
    expect(node).toMatchObject({
      state: "Failed",
      reason: "MaterialInvalid",
      exitCode: null,
      startedAt: null,
    });
  });
}
