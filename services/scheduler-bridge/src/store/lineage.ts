/** Which fire a run goes back to: its own, or that of the run it is a child or a rerun of. */
import type { FireId, RunId } from "@aiep/contracts";
import { fromJson, type SqlPool } from "@aiep/service-kit";
import type { Upstream } from "../domain/event-trigger/index.ts";

interface Row {
  readonly id: FireId;
  readonly depth: number;
  readonly lineage: string;
}

export class LineageStore {
  readonly #pool: SqlPool;

  constructor(pool: SqlPool) {
    this.#pool = pool;
  }

  async ofRun(run: RunId): Promise<Upstream | undefined> {
    return await this.#one("JOIN run_lineage l ON l.fire_id = f.id WHERE l.run_id = ?", run);
  }

  async ofFire(fire: FireId): Promise<Upstream | undefined> {
    return await this.#one("WHERE f.id = ?", fire);
  }

  /** What a fire's run caused goes back to that fire. */
  async inherit(child: RunId, parent: RunId): Promise<void> {
    await this.#pool.execute(
      "INSERT IGNORE INTO run_lineage (run_id, fire_id, created_at) SELECT ?, fire_id, NOW(3) FROM run_lineage WHERE run_id = ?",
      [child, parent],
    );
  }

  async #one(condition: string, value: string): Promise<Upstream | undefined> {
    const [row] = await this.#pool.query<Row>(`SELECT f.id, f.depth, f.lineage FROM fires f ${condition}`, [
      value,
    ]);
    if (row === undefined) return undefined;
    const lineage = fromJson(row.lineage) as readonly string[]; // written by the store of fires
    return { fireId: row.id, depth: row.depth, lineage };
  }
}
