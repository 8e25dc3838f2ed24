/** Tables whose columns line up in cells, not characters. Cut to the window only on a terminal. */
import { oneLine } from "./sanitize.ts";
import { displayWidth, padEnd, truncate } from "./width.ts";

export interface TableOptions {
  readonly headers: boolean;
  /** Width of the window; undefined when the output is no terminal. */
  readonly columns: number | undefined;
}

export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  { headers, columns }: TableOptions,
): string {
  const cells = rows.map((row) => row.map(oneLine));
  const all = headers ? [header, ...cells] : cells;
  const widths = header.map((_, column) => Math.max(0, ...all.map((row) => displayWidth(row[column] ?? ""))));
  const lines = all.map((row) => {
    const line = row
      .map((cell, column) => padEnd(cell, widths[column] ?? 0))
      .join("   ")
      .trimEnd();
    return columns === undefined ? line : truncate(line, columns);
  });
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;
}
