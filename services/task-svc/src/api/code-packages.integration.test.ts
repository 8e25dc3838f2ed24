import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { type ClientRequest, request } from "node:http";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { codePackageView, type ErrorCode, problem } from "@aiep/contracts";
import { waitFor } from "@aiep/dev-servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { zip } from "../code-packages/testing/zip.ts";
import {
  detailOf,
  type Ground,
  layGround,
  problemOf,
  startTaskApi,
  submission,
  type TaskApi,
} from "./testing/task-api.ts";

let ground: Ground;
let api: TaskApi;
beforeAll(async () => {
  ground = await layGround();
  api = await startTaskApi(ground);
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await ground[Symbol.asyncDispose]();
});

const ZIP = { "content-type": "application/zip" };
const MIB = 1024 * 1024;

const upload = (user: string, bytes: Buffer, query = "") =>
  api.call(user, "POST", `/v1/code-packages${query}`, { raw: new Uint8Array(bytes), headers: ZIP });

const incomingFiles = async () => await readdir(join(api.packagesDir, "incoming"));

async function filesOnDisk(): Promise<string[]> {
  return [...(await readdir(api.packagesDir)), ...(await incomingFiles())].filter(
    (name) => name !== "incoming",
  );
}

async function expectNothingKept(perform: () => Promise<void>): Promise<void> {
  const before = [await filesOnDisk(), await api.count("code_packages")];
  await perform();
  expect([await filesOnDisk(), await api.count("code_packages")]).toEqual(before);
}

describe("a good upload", () => {
  test("is kept once per group, found by its id, and used by a task", async () => {
    const bytes = zip([{ name: "main.py", content: "print(1)" }]);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const first = await upload("ada", bytes, `?sha256=${sha256}`);
    expect(first.status).toBe(201);
    const view = codePackageView.parse(first.body);
    expect(view).toMatchObject({
      sha256,
      size_bytes: bytes.length,
      file_count: 1,
      group_id: "vision",
      created_by: "ada",
    });
    expect(codePackageView.parse((await upload("bob", bytes)).body).id).toBe(view.id);
    expect(
      codePackageView.parse((await upload("eve", bytes)).body).id,
      "another group, another package",
    ).not.toBe(view.id);
    expect(await filesOnDisk()).toEqual([`${sha256}.zip`]);

    expect((await api.call("vera", "GET", `/v1/code-packages/${view.id}`)).body).toEqual(first.body);
    expect(problemOf(await api.call("eve", "GET", `/v1/code-packages/${view.id}`))).toMatchObject({
      status: 404,
      code: "CODE_PACKAGE_UNKNOWN",
    });

    const body = { ...submission(), code_package_id: view.id };
    expect(detailOf(await api.call("ada", "POST", "/v1/tasks", { body })).code_package_id).toBe(view.id);
    expect(
      problemOf(await api.call("eve", "POST", "/v1/tasks", { body })).errors?.map(({ code }) => code),
    ).toContain("CODE_PACKAGE_NOT_FOUND");
  });

  test("at once from two clients is one package", async () => {
    const bytes = zip([{ name: "main.py", content: "print(2)" }]);
    const answers = await Promise.all([upload("ada", bytes), upload("bob", bytes), upload("ada", bytes)]);
    expect(new Set(answers.map(({ body }) => codePackageView.parse(body).id)).size).toBe(1);
  });
});

describe("a bad upload leaves nothing", () => {
  const good = zip([{ name: "a", content: "x" }]);
  test.each<[string, Buffer, number, ErrorCode]>([
    ["not a zip", Buffer.from("hello"), 422, "CODE_PACKAGE_NOT_ZIP"],
    ["cut off", good.subarray(0, good.length - 5), 422, "CODE_PACKAGE_NOT_ZIP"],
    ["../ in a path", zip([{ name: "../evil", content: "x" }]), 422, "CODE_PACKAGE_UNSAFE"],
    ["a zip bomb", zip([{ name: "bomb", content: Buffer.alloc(64 * MIB) }]), 413, "CODE_PACKAGE_TOO_LARGE"],
    [
      "a zip bomb that lies",
      zip([{ name: "bomb", content: Buffer.alloc(64 * MIB), declaredSize: 9 }]),
      422,
      "CODE_PACKAGE_NOT_ZIP",
    ],
  ])("%s", async (_, bytes, status, code) => {
    await expectNothingKept(async () => {
      expect(problemOf(await upload("ada", bytes))).toMatchObject({ status, code });
    });
  });

  test("of a viewer or for another group", async () => {
    await expectNothingKept(async () => {
      expect(problemOf(await upload("vera", good)).code).toBe("VIEWER_ONLY");
      expect(problemOf(await upload("ada", good, "?group_id=speech")).code).toBe("NOT_A_MEMBER");
    });
  });

  test("of another media type", async () => {
    const answer = await api.call("ada", "POST", "/v1/code-packages", { body: {} });
    expect(problemOf(answer).code).toBe("UNSUPPORTED_MEDIA_TYPE");
  });

  test("of another content than announced", async () => {
    await expectNothingKept(async () => {
      expect(problemOf(await upload("ada", good, `?sha256=${"0".repeat(64)}`)).code).toBe(
        "CODE_PACKAGE_NOT_ZIP",
      );
    });
  });

  test("of 200 MB: refused before a byte is read when it says so", async () => {
    await expectNothingKept(async () => {
      const answer = await uploadZeros(200 * MIB, { "content-length": String(200 * MIB) });
      expect(answer).toMatchObject({ status: 413, code: "CODE_PACKAGE_TOO_LARGE" });
      expect(answer.sentBeforeAnswer).toBeLessThan(64 * MIB);
    });
  });

  test("of 200 MB that do not say so: cut off at the limit, with flat memory", async () => {
    await expectNothingKept(async () => {
      const answer = await uploadZeros(200 * MIB, {});
      expect(answer).toMatchObject({ status: 413, code: "CODE_PACKAGE_TOO_LARGE" });
      expect(answer.sentBeforeAnswer).toBeLessThan(164 * MIB);
      expect(answer.peakGrowth).toBeLessThan(16 * MIB);
    });
  });

  test("that breaks off half-way", async () => {
    await expectNothingKept(async () => {
      const outgoing = uploadRequest({});
      outgoing.on("error", () => undefined); // it is we who break off
      outgoing.write(Buffer.alloc(MIB));
      await waitFor("the upload to begin", async () => (await incomingFiles()).length > 0);
      outgoing.destroy();
      await waitFor("the temporary file to go", async () => (await incomingFiles()).length === 0);
    });
  });
});

/** Below fetch, which sends on from a connection of its own choice. */
function uploadRequest(headers: Record<string, string>): ClientRequest {
  return request(`${api.url}/v1/code-packages`, {
    method: "POST",
    headers: { ...ZIP, ...headers, authorization: `Bearer ${ground.signer.token("ada")}` },
  });
}

interface LargeUpload {
  readonly status: number;
  readonly code: string;
  readonly sentBeforeAnswer: number;
  /** Of this process, which is client and server at once. */
  readonly peakGrowth: number;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void; // what the flag adds

/** Without garbage, which is the collector's business. */
function liveMemory(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Streams zeros until an answer comes. */
async function uploadZeros(bytes: number, headers: Record<string, string>): Promise<LargeUpload> {
  const chunk = Buffer.alloc(64 * 1024);
  const before = liveMemory();
  let peak = before;
  let sampledAt = 0;
  let sent = 0;
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const outgoing = uploadRequest(headers);
    let answered = false;
    const feed = () => {
      if (answered) return;
      if (sent - sampledAt >= 8 * MIB) {
        sampledAt = sent;
        peak = Math.max(peak, liveMemory());
      }
      for (; sent < bytes; ) {
        sent += chunk.length;
        if (!outgoing.write(chunk)) return;
      }
      outgoing.end();
    };
    outgoing.on("drain", feed);
    outgoing.on("error", (error) => answered || reject(error));
    outgoing.on("response", (response) => {
      answered = true;
      let received = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        received += part;
      });
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, text: received });
        outgoing.destroy();
      });
    });
    feed();
  });
  return {
    status,
    code: problem.parse(JSON.parse(text)).code,
    sentBeforeAnswer: sent,
    peakGrowth: peak - before,
  };
}
