/**
 * `npm run generate` writes the documents that follow from the contracts; `npm run drift` (`--check`) fails when a
 * committed one differs, so that documents cannot lie (D4).
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { eventTables, generatedDocuments } from "@aiep/contracts/documents";
import { nodePages, nodesReadmeParts } from "../services/workflow-svc/src/components/documents.ts";

const root = join(import.meta.dirname, "..");
const check = process.argv.includes("--check");

const EVENTS_PAGE = "docs/events.md";
const NODES_PAGE = "docs/nodes/README.md";
const END = "<!-- end generated -->";

async function current(path: string): Promise<string> {
  return await readFile(join(root, path), "utf8").catch(() => "");
}

/** A page that keeps its hand-written text; only what stands between the marks is generated. `""` is the mark without a name. */
async function pageWithParts(path: string, parts: ReadonlyMap<string, string>): Promise<string> {
  let page = await current(path);
  for (const [name, text] of parts) {
    const mark = `<!-- begin generated${name === "" ? "" : `: ${name}`} -->`;
    const begin = page.indexOf(mark);
    const end = page.indexOf(END, begin);
    if (begin < 0 || end < begin) throw new Error(`${path} lacks the marks ${mark} and ${END}`);
    page = `${page.slice(0, begin + mark.length)}\n${text}\n${page.slice(end)}`;
  }
  return page;
}

const documents = new Map([
  ...generatedDocuments(),
  [EVENTS_PAGE, await pageWithParts(EVENTS_PAGE, new Map([["", eventTables()]]))],
  ...nodePages(),
  [NODES_PAGE, await pageWithParts(NODES_PAGE, nodesReadmeParts())],
]);
const stale: string[] = [];
for (const [path, content] of documents) {
  if ((await current(path)) === content) continue;
  stale.push(path);
  if (check) continue;
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

if (stale.length === 0) console.log(`${documents.size} generated documents are up to date`);
else if (check) {
  console.error(`out of date, run npm run generate:\n  ${stale.join("\n  ")}`);
  process.exitCode = 1;
} else console.log(`wrote\n  ${stale.join("\n  ")}`);
