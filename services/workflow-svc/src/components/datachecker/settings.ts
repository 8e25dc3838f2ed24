/** Where data can be looked for in this installation; the operators' word, never a manifest's. */
import type { SqlExecutor } from "@aiep/service-kit";

export interface LinkisSettings {
  /** The gateway, without `/api/rest_j/v1`. */
  readonly url: string;
  /** Linkis user of the checks; undefined: the proxy user of the run, else its creator. */
  readonly user: string | undefined;
  /** Asked for each request, so that a token may be exchanged while we run. */
  readonly token: () => Promise<string>;
}

export interface SqlSource {
  readonly pool: Pick<SqlExecutor, "query">;
  /** Column whose greatest value is the newest partition of a table that has it. */
  readonly partitionColumn: string;
  /** Groups whose workflows may look there; empty: all. */
  readonly groups: readonly string[];
}

export interface DataCheckerDeps {
  readonly linkis: LinkisSettings | undefined;
  readonly sqlSources: ReadonlyMap<string, SqlSource>;
  readonly now: () => number;
}
