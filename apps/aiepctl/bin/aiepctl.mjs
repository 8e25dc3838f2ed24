#!/usr/bin/env node
// Starts the packed bundle; in a checkout whose sources are newer than the bundle, the sources, under its own Node 24.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const home = dirname(dirname(fileURLToPath(import.meta.url)));
const bundle = join(home, "dist", "aiepctl.js");
const source = join(home, "src", "main.ts");

/** Newest change below a folder; sources only. */
function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) latest = Math.max(latest, newest(path));
    else if (entry.name.endsWith(".ts")) latest = Math.max(latest, statSync(path).mtimeMs);
  }
  return latest;
}

function bundleIsFresh() {
  if (!existsSync(bundle)) return false;
  if (!existsSync(source)) return true;
  const contracts = join(home, "..", "..", "libs", "contracts", "src");
  return (
    statSync(bundle).mtimeMs >=
    Math.max(newest(join(home, "src")), existsSync(contracts) ? newest(contracts) : 0)
  );
}

/** The checkout's Node 24 from npm, or this one when it can run TypeScript itself. */
function node24() {
  const own = join(home, "..", "..", "node_modules", ".bin", "node");
  if (existsSync(own)) return own;
  return Number(process.versions.node.split(".")[0]) >= 24 ? process.execPath : undefined;
}

function runSource() {
  const node = node24();
  if (node === undefined) {
    process.stderr.write(
      "Error: aiepctl runs from source with Node 24, and there is none\nTry: npm ci in the checkout, or put Node 24 on PATH\n",
    );
    process.exit(1);
  }
  const child = spawn(node, ["--conditions=aiep:source", source, ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  // A terminal sends its Ctrl-C to both; the child knows to take the two as one.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`Error: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 1)));
}

if (bundleIsFresh()) await import(bundle);
else runSource();
