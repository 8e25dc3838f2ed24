import { describe, expect, it } from "vitest";
import { FakePlatform, json, problem } from "../../testing/fake-platform.ts";
import { type Surroundings, Workplace } from "../../testing/run.ts";

const FIRST = "7d3e".padEnd(32, "0");
const SECOND = "ab13".padEnd(32, "0");

/** Two runs that ended. */
async function stage() {
  const platform = await FakePlatform.start();
  const place = await Workplace.create(platform.url);
  const left = new Set([FIRST, SECOND]);
  const kept = new Set<string>();
  platform.intercept = ({ method, url }, response) => {
    const written = /^\/v1\/runs\/([0-9a-f]+)$/.exec(url.pathname)?.[1];
    if (written === undefined) return undefined;
    const id = [...left].find((each) => each.startsWith(written));
    if (id === undefined) problem(response, "RUN_NOT_FOUND", `There is no run ${written} in your groups.`);
    else if (method === "GET") json(response, 200, runOf(id));
    else if (kept.has(id)) problem(response, "RUN_NOT_ENDED", `Run ${id} is Running.`);
    else {
      left.delete(id);
      response.writeHead(204).end();
    }
    return true;
  };
  return {
    left,
    kept,
    remove: async (ids: readonly string[], surroundings?: Surroundings) =>
      await place.run(["workflow", "runs", "delete", ...ids], surroundings),
    async [Symbol.asyncDispose]() {
      await place[Symbol.asyncDispose]();
      await platform[Symbol.asyncDispose]();
    },
  };
}

function runOf(id: string) {
  return {
    ...{
      id,
      experiment_id: SECOND,
      experiment_name: "每日训练",
      group_id: "g1",
      version_name: "v3",
      mode: "all",
    },
    ...{ selected: [], base_run_id: null, state: "Succeeded", reason: null, message: null, parameters: {} },
    ...{ run_date: "20260131", origin: { kind: "manual" }, node_count: 1, nodes_by_state: { Succeeded: 1 } },
    ...{
      created_by: "alice",
      version: 4,
      created_at: "2026-02-01T08:00:00Z",
      deadline_at: null,
      paused_at: null,
    },
    ...{ started_at: "2026-02-01T08:00:01Z", finished_at: "2026-02-01T08:00:09Z" },
  };
}

describe("workflow runs delete", () => {
  it("with --yes deletes all of them by their prefixes and prints their whole ids", async () => {
    await using at = await stage();
    expect(await at.remove(["7d3e", "ab13", "--yes"])).toMatchObject({
      code: 0,
      stdout: `${FIRST}\n${SECOND}\n`,
    });
    expect(at.left.size).toBe(0);
  });

  it("shows what is about to go and asks; anything but yes deletes nothing", async () => {
    await using at = await stage();
    const no = await at.remove(["7d3e"], { tty: true, stdin: "\n" });
    expect(no.stderr).toContain(`  ${FIRST}  每日训练  v3  20260131  Succeeded\n`);
    expect(no.stderr).toContain("Delete this run and the records of its nodes? [y/N]");
    const hungUp = await at.remove(["7d3e"], { tty: true, stdin: "" });
    expect([no.code, hungUp.code, at.left.size]).toEqual([0, 0, 2]);
    expect((await at.remove(["7d3e"], { tty: true, stdin: "y\n" })).stdout).toContain(FIRST);
    expect([...at.left]).toEqual([SECOND]);
  });

  it("deletes none when one of them is not there, and cannot ask where nobody answers", async () => {
    await using at = await stage();
    const { code, stderr } = await at.remove(["7d3e", "ffff", "-y"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("There is no run ffff");
    expect(await at.remove(["7d3e"])).toMatchObject({ code: 2 });
    expect(at.left.size).toBe(2);
  });

  it("of a run that lives says to cancel it first", async () => {
    await using at = await stage();
    at.kept.add(FIRST);
    const { code, stderr } = await at.remove(["7d3e", "-y"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("is Running");
    expect(stderr).toContain("aiepctl workflow runs cancel");
  });
});
