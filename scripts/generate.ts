/**
 * `npm run generate` writes the documents that follow from the contracts; `npm run drift` (`--check`) fails when a
 * committed one differs, so that documents cannot lie (D4).
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { eventTables, generatedDocuments } from "@aiep/contracts/documents";

const root = join(import.meta.dirname, "..");
const check = process.argv.includes("--check");

const EVENTS_PAGE = "docs/events.md";
const BEGIN = "<!-- begin generated -->";
const END = "<!-- end generated -->";

async function current(path: string): Promise<string> {
  return await readFile(join(root, path), "utf8").catch(() => "");
}

/** The event catalogue keeps its hand-written text; only the part between the marks is generated. */
async function eventsPage(): Promise<string> {
  const page = await current(EVENTS_PAGE);
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${EVENTS_PAGE} lacks the marks ${BEGIN} and ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n${eventTables()}\n${page.slice(end)}`;
}

const documents = new Map([...generatedDocuments(), [EVENTS_PAGE, await eventsPage()]]);
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
