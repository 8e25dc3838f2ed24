import type { Database } from "@aiep/dev-servers";
import { stringify } from "yaml";
import { readIfThere, writeAtomic } from "./files.ts";
import type { Layout } from "./layout.ts";
import { databaseUrlFile } from "./secrets.ts";

/*
 * A small warehouse for the workflow examples: one table with a partition a day, which datachecker nodes of this stack look
 * at as the SQL source "demo". The file that says so is written once; from then on it is the user's to edit.
 */

export const WAREHOUSE = "demo_dw";
/** Under this name its password and address are kept. */
export const WAREHOUSE_ACCOUNT = "demo-warehouse";
const DAYS = 7;

const HEADER = `# What this stack's workflow nodes may reach. Read when workflow-svc starts; docs/nodes/README.md explains it.
`;

export async function ensureComponents(layout: Layout): Promise<void> {
  if ((await readIfThere(layout.componentsFile)) !== undefined) return;
  const document = {
    datachecker: { sql_sources: { demo: { url_file: databaseUrlFile(layout, WAREHOUSE_ACCOUNT) } } },
    http: { allow: [] },
  };
  await writeAtomic(layout.componentsFile, `${HEADER}${stringify(document)}`);
}

/** The last days have their orders, whenever the stack is started. */
export async function fillWarehouse(database: Database, today: Date): Promise<void> {
  const days = Array.from({ length: DAYS }, (_, ago) => {
    const day = new Date(today.getTime() - ago * 86_400_000);
    return day.toISOString().slice(0, 10).replaceAll("-", "");
  });
  await database.execute(
    "CREATE TABLE IF NOT EXISTS orders (ds CHAR(8) NOT NULL, id INT NOT NULL, amount INT NOT NULL, PRIMARY KEY (ds, id))",
    ...days.map(
      (day) => `INSERT IGNORE INTO orders (ds, id, amount) VALUES ('${day}', 1, 120), ('${day}', 2, 80)`,
    ),
  );
}
