/** The node in a run: over a restart, by another replica, and cancelled. */
import { loadConfig, startLinkis, testDatabase, waitFor } from "@aiep/dev-servers";
import { createSqlPool } from "@aiep/service-kit";
import { describe, expect, it } from "vitest";
import { openEngineStage } from "../../testing/engine-stage.ts";
import { definitionOf, newRunOf } from "../../testing/runs.ts";
import { noop } from "../noop/component.ts";
import { registryOf } from "../registry.ts";
import { createDataChecker } from "./component.ts";
import type { DataCheckerDeps } from "./settings.ts";

const flow = (data_setting: Record<string, string | number | string[]>) =>
  newRunOf(
    definitionOf(
      [
        {
          id: "check",
          kind: "datachecker",
          manifest: { data_setting: { check_interval_seconds: 1, ...data_setting } },
        },
        "after",
      ],
      ["check after"],
    ),
  );
const kinds = (deps: Partial<DataCheckerDeps>) =>
  registryOf([createDataChecker({ linkis: undefined, sqlSources: new Map(), now: Date.now, ...deps }), noop]);

describe("a datachecker in a run", () => {
  it("waits with what is missing, goes on with another replica, and lets the next node start", async () => {
    await using database = await testDatabase();
    await using pool = createSqlPool({ url: database.url, connectionLimit: 2 });
    const schema = new URL(database.url).pathname.slice(1);
    const registry = kinds({
      sqlSources: new Map([["warehouse", { pool, partitionColumn: "ds", groups: [] }]]),
    });
    await using stage = await openEngineStage({ registry, leaseMs: 1000 });
    const id = await stage.run(
      flow({ sql_source: "warehouse", database_table_objects: [`${schema}.orders{ds=\${run_date}}`] }),
    );
    await waitFor("it waits and says for what", async () => {
      const { check } = await stage.nodes(id);
      return check?.message?.includes(`${schema}.orders{ds=20260101} (no such table); 0 of 1 are there`);
    });
    await stage.engine.stop();
    stage.replica();
    await pool.execute("CREATE TABLE orders (ds CHAR(8))");
    await pool.execute("INSERT INTO orders VALUES ('20260101')");
    expect((await stage.ended(id)).status.state).toBe("Succeeded");
    const { check, after } = await stage.nodes(id);
    expect(check).toMatchObject({ state: "Succeeded", attempt: 1, outputs: { rows_checked: true } });
    expect(after?.state).toBe("Succeeded");
  });

  it.skipIf(loadConfig().linkisServer === undefined)(
    "follows one and the same Linkis job over a restart, and kills it when the run is cancelled",
    async () => {
      const linkis = await startLinkis({ tokens: ["tk-in-a-run:alice"] });
      if (linkis === undefined) return;
      await using _ = linkis;
      const registry = kinds({
        linkis: { url: linkis.url, user: undefined, token: async () => Promise.resolve("tk-in-a-run") },
      });
      await using stage = await openEngineStage({ registry, leaseMs: 1000 });
      const statusOf = async (taskId: number) => {
        const response = await fetch(`${linkis.url}/api/rest_j/v1/jobhistory/${taskId}/get`, {
          headers: { "Token-User": "alice", "Token-Code": "tk-in-a-run" },
        });
        return JSON.stringify(await response.json());
      };
      const id = await stage.run(flow({ database_table_objects: ["r1.none"] }));
      const missing = async () =>
        (await stage.nodes(id))["check"]?.message?.includes("Not there yet: r1.none");
      await waitFor("Linkis names it", missing);
      await stage.engine.stop();
      const other = stage.replica();
      await waitFor("the other replica owns it", () => other.liveRuns === 1);
      expect(await statusOf(1)).toContain('"Running"');
      await other.control.cancel(id, { by: "alice" });
      expect((await stage.ended(id)).status.state).toBe("Cancelled");
      await waitFor("the job is killed", async () => (await statusOf(1)).includes('"Cancelled"'));
      expect(await statusOf(2), "there was one job").toContain("not found");
    },
  );
});
