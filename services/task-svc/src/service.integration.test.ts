import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  runtimeView,
  stopTask,
  submitTask,
  type TaskDetail,
  type TaskIo,
  taskDetail,
  taskId,
  taskIo,
  taskOutputs,
} from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { openS3 } from "@aiep/objects/testing";
import { commandMessage, publishMessage } from "@aiep/service-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import {
  layServiceGround,
  type ServiceGround,
  type ServiceProcess,
  submission,
} from "./testing/service-process.ts";

let ground: ServiceGround;
beforeAll(async () => {
  ground = await layServiceGround();
});
afterAll(async () => await ground?.[Symbol.asyncDispose]());

async function submit(service: ServiceProcess, command: string, nodes = 1): Promise<TaskDetail> {
  const answer = await service.call("alice", "POST", "/v1/tasks", submission(command, nodes));
  expect(answer).toMatchObject({ status: 201 });
  return taskDetail.parse(answer.body);
}

async function get(service: ServiceProcess, id: string): Promise<TaskDetail> {
  return taskDetail.parse((await service.call("alice", "GET", `/v1/tasks/${id}`)).body);
}

async function reaches(service: ServiceProcess, id: string, state: string): Promise<TaskDetail> {
  return await waitFor(`task is ${state}`, async () => {
    const task = await get(service, id);
    return task.state === state && task;
  });
}

async function lastOnBus(id: string, event: string): Promise<unknown> {
  const message = await ground.bus.jsm.streams
    .getMessage("TASK", { last_by_subj: `aiep.test.evt.task.g1.${id}.${event}` })
    .catch(() => null); // not published yet
  return message?.json();
}

describe("task-svc as a process, with the local runtime", () => {
  it("takes a task from submission to its end and publishes every change", async () => {
    await using service = await ground.start();
    const task = await submit(service, "echo hello; exit 0");
    expect(task).toMatchObject({ state: "Initializing", reason: "Submitting" });
    const ended = await reaches(service, task.id, "Succeeded");
    expect(ended.nodes[0]).toMatchObject({ name: "worker-0", exit_code: 0 });
    const succeeded = await waitFor(
      "the end is on the bus",
      async () => await lastOnBus(task.id, "succeeded"),
    );
    expect(succeeded).toMatchObject({ task_id: task.id, state: "Succeeded", finished_at: ended.finished_at });
  });

  it("tells which node failed, with its exit code", async () => {
    await using service = await ground.start();
    const task = await submit(service, 'if [ "$RANK" = 1 ]; then exit 7; fi; sleep 60', 2);
    const ended = await reaches(service, task.id, "Failed");
    expect(ended.message).toContain("worker-1 ended with exit code 7");
    expect(ended.nodes.map((node) => node.state)).toEqual(["Stopped", "Failed"]);
  });

  it("I1, I3: killed while tasks run, it adopts them and takes over their results", async () => {
    const marker = join(tmpdir(), `aiep-once-${randomUUID()}`);
    await writeFile(marker, "", { mode: 0o666 });
    const first = await ground.start();
    const finishing = await submit(first, `echo x >> ${marker}; sleep 1; exit 5`);
    const lasting = await submit(first, "sleep 300");
    await reaches(first, lasting.id, "Running");
    await first.kill();
    await using second = await ground.start();
    expect(await reaches(second, finishing.id, "Failed")).toMatchObject({ reason: "NonZeroExit" });
    expect(await get(second, lasting.id)).toMatchObject({ state: "Running" });
    expect(
      await second.call("alice", "POST", `/v1/tasks/${lasting.id}/stop`, { grace_seconds: 1 }),
    ).toMatchObject({
      status: 202,
    });
    expect(await reaches(second, lasting.id, "Stopped")).toMatchObject({ reason: "StoppedByUser" });
    expect(await readFile(marker, "utf8")).toBe("x\n");
  });

  it("ends politely on SIGTERM and leaves its tasks running", async () => {
    const first = await ground.start();
    const task = await submit(first, "sleep 300");
    await reaches(first, task.id, "Running");
    expect(await first.terminate(), first.output()).toBe(0);
    await using second = await ground.start();
    expect(await get(second, task.id)).toMatchObject({ state: "Running" });
    await second.call("alice", "POST", `/v1/tasks/${task.id}/stop`, { grace_seconds: 1 });
    await reaches(second, task.id, "Stopped");
  });

  it("refuses to start with settings it cannot use, naming them", async () => {
    await expect(ground.start({ AIEP_RUNTIME: "kubernetes" })).rejects.toThrow(
      /AIEP_RUNTIME=kubernetes needs AIEP_KUBERNETES_PREPARE_IMAGE/,
    );
    await expect(ground.start({ AIEP_LOCAL_STATE_DIR: "relative", AIEP_JWKS: "" })).rejects.toThrow(
      /AIEP_JWKS[\s\S]*AIEP_LOCAL_STATE_DIR|AIEP_LOCAL_STATE_DIR[\s\S]*AIEP_JWKS/,
    );
  });
});

describe("commands", () => {
  const send = async (message: ReturnType<typeof commandMessage>) =>
    await publishMessage(ground.bus, message);
  const base = { env: "test", source: "/test", now: new Date() } as const;

  it("D8, I2: a submit command makes one task, however often it is delivered, and a stop command stops it", async () => {
    await using service = await ground.start();
    const id = randomUUID();
    const data = { ...submission("sleep 300"), requested_by: "alice" };
    await send(commandMessage({ definition: submitTask, data, id, ...base }));
    const task = await waitFor("the task is there", async () => {
      const { body } = await service.call("alice", "GET", "/v1/tasks?limit=1");
      const [first] = (body as { items: TaskDetail[] }).items;
      return first?.state === "Running" && first;
    });
    const created = await waitFor("created is on the bus", async () => await lastOnBus(task.id, "created"));
    expect(created).toMatchObject({ command_id: id, created_by: "alice" });
    await send(
      commandMessage({
        definition: stopTask,
        data: { task_id: task.id, requested_by: "alice", grace_seconds: 1 },
        ...base,
      }),
    );
    await reaches(service, task.id, "Stopped");
  });

  it("directories go from task to task through a bucket, whose keys are told to nobody", async ({ skip }) => {
    await using bucket = (await openS3()) ?? skip("AIEP_S3_SERVER names no S3 server");
    const { bucket: name, endpoint, accessKey, secretKey } = bucket.server;
    await using service = await ground.start({
      AIEP_ARTIFACT_STORE: `s3://${name}/aiep?endpoint=${endpoint}`,
      AIEP_ARTIFACT_STORE_ACCESS_KEY: accessKey,
      AIEP_ARTIFACT_STORE_SECRET_KEY: secretKey,
    });
    const succeeds = async (command: string, io: Partial<TaskIo>) => {
      const id = randomUUID();
      const data = { ...submission(command), io: taskIo.parse(io), requested_by: "alice" };
      await send(commandMessage({ definition: submitTask, data, id, ...base }));
      const created = await waitFor("the task is there", async () => {
        const { body } = await service.call("alice", "GET", "/v1/tasks?limit=1");
        const [first] = z.object({ items: z.array(z.object({ id: taskId })) }).parse(body).items;
        const event =
          first &&
          z.object({ command_id: z.string().nullish() }).safeParse(await lastOnBus(first.id, "created"));
        return event?.data?.command_id === id && first;
      });
      await reaches(service, created.id, "Succeeded");
      return await waitFor("the end is on the bus", async () => await lastOnBus(created.id, "succeeded"));
    };
    const left = await succeeds('echo weights > "$AIEP_OUTPUT_MODEL/w"', {
      output_directories: [{ name: "model", path: "/work/model" }],
    });
    const [model] = z.object({ outputs: taskOutputs }).parse(left).outputs.directories;
    expect(model).toMatchObject({ name: "model", file_count: 1, size_bytes: 8 });
    await succeeds('grep -q weights "$AIEP_INPUT_M/w"', {
      input_directories: [{ name: "m", digest: model?.digest ?? "", path: "/given/m" }],
    });
    const doctor = runtimeView.parse((await service.call("alice", "GET", "/v1/runtime")).body);
    expect(doctor.checks).toContainEqual(expect.objectContaining({ name: "directories", status: "pass" }));
    for (const key of [accessKey, secretKey]) expect(service.output()).not.toContain(key);
  });

  it.each([
    ["an unknown user", { ...submission("true"), requested_by: "nobody" }, "UNKNOWN_USER"],
    ["somebody of another group", { ...submission("true"), requested_by: "eve" }, "NOT_A_MEMBER"],
  ])("a command of %s is answered with rejected", async (_, data, code) => {
    await using _service = await ground.start();
    const id = randomUUID();
    await send(commandMessage({ definition: submitTask, data, id, ...base }));
    const rejected = await waitFor("rejected is on the bus", async () => await lastOnBus(id, "rejected"));
    expect(rejected).toMatchObject({ command_id: id, command: "submit", code, group_id: "g1" });
  });
});
