import { MAX_LINE_BYTES } from "@aiep/contracts";
import { expect, test } from "vitest";
import { run, type StageFactory, untilLog, userText, workload } from "./stage.ts";

const PYTHON = "exec python3 -c";

export function describeLogs(openStage: StageFactory): void {
  test("stdout and stderr are kept apart, each in order", async () => {
    await using stage = await openStage();
    const task = workload(stage, "for i in 1 2 3; do echo out $i; echo err $i >&2; done");
    await run(stage, task);
    const log = await untilLog(stage, task);
    expect(userText(log)).toBe("out 1\nout 2\nout 3\n");
    expect(log.stderr.toString()).toBe("err 1\nerr 2\nerr 3\n");
  });

  test("binary bytes, carriage returns, empty lines and a last line without end arrive as they are", async () => {
    await using stage = await openStage();
    const task = workload(stage, `printf '10%%\\r50%%\\r100%%\\n\\n\\000\\377\\376 binary\\nno end'`);
    await run(stage, task);
    const { stdout } = await untilLog(stage, task);
    const expected = Buffer.from("10%\r50%\r100%\n\n\0\xff\xfe binary\nno end\n", "latin1");
    expect(stdout.subarray(-expected.length).equals(expected)).toBe(true);
  });

  test("a line of 1 MB arrives whole, in pieces", async () => {
    await using stage = await openStage();
    const task = workload(stage, `${PYTHON} 'print("x" * 1_000_000); print("next")'`);
    await run(stage, task);
    const text = userText(await untilLog(stage, task));
    expect(text.length).toBe(1_000_000 + 1 + 5);
    expect(text.endsWith("x\nnext\n")).toBe(true);
    expect(MAX_LINE_BYTES).toBeLessThan(1_000_000);
  });

  test("100 000 lines in one burst arrive each once, in order", async () => {
    await using stage = await openStage();
    const task = workload(stage, `${PYTHON} 'for i in range(100_000): print("line", i)'`);
    await run(stage, task);
    const lines = userText(await untilLog(stage, task))
      .trimEnd()
      .split("\n");
    expect(lines.length).toBe(100_000);
    expect(lines.every((line, at) => line === `line ${at}`)).toBe(true);
  });

  test("a runtime restarted again and again in the middle of the output loses and repeats nothing", async () => {
    await using stage = await openStage();
    const script = `import time\\nfor i in range(3000):\\n    print("line", i, flush=True)\\n    time.sleep(0.0003)`;
    const task = workload(stage, `printf '${script}' > $HOME/p.py; exec python3 $HOME/p.py`);
    await stage.runtime.launch(task);
    for (let times = 0; times < 6; times++) await stage.restart();
    const lines = userText(await untilLog(stage, task))
      .trimEnd()
      .split("\n");
    expect(lines.length).toBe(3000);
    expect(lines.every((line, at) => line === `line ${at}`)).toBe(true);
  });
}
