/*
 * Gets a command of this repository from "any Node and npm" to Node 24: installs the dependencies when they are missing
 * or outdated, finds a Node 24 (npm brings one on Linux), and runs a TypeScript file with it.
 *
 * Plain JavaScript that Node 20 runs with nothing installed; imports nothing but Node itself.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

const wanted = 24;

/** `npm ci` unless everything the lock file asks for is installed in the version it asks for. */
function installDependencies() {
  if (dependenciesInstalled()) return;
  process.stderr.write("installing the dependencies (npm ci)\n");
  const { status, error } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (error !== undefined) fail(`npm cannot be run: ${error.message}`);
  if (status !== 0) fail(`npm ci ended with ${status}`);
}

/** Compares contents, not times: a lock file that was merely rewritten must not throw away a good installation. */
function dependenciesInstalled() {
  const installedFile = join(root, "node_modules/.package-lock.json");
  if (!existsSync(installedFile)) return false;
  const { packages: locked } = readJson(join(root, "package-lock.json"));
  const { packages: installed } = readJson(installedFile);
  return Object.entries(locked).every(([path, { link, optional, version }]) => {
    if (!path.includes("node_modules/") || link) return true;
    const found = installed[path];
    if (found === undefined) return optional === true;
    return found.version === version && existsSync(join(root, path));
  });
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** The path of a Node 24 or newer. */
function findNode24() {
  const brought = join(root, "node_modules/.bin/node");
  if (existsSync(brought)) return brought;
  if (Number.parseInt(process.versions.node, 10) >= wanted) return process.execPath;
  return fail(
    `Node ${wanted} is needed and this is ${process.version}. npm brings a Node ${wanted} on Linux with x64 or arm64, not on ` +
      `${process.platform} with ${process.arch}: install it (https://nodejs.org, or \`nvm install ${wanted}\`), put it first in PATH and run the command again.`,
  );
}

/** The environment in which workspaces resolve to their TypeScript sources, for the program and all it starts. */
export function sourceEnv(node, env = process.env) {
  const condition = "--conditions=aiep:source";
  const options = env.NODE_OPTIONS ?? "";
  return {
    ...env,
    PATH: [dirname(node), env.PATH ?? ""].join(delimiter),
    NODE_OPTIONS: options.includes(condition) ? options : `${options} ${condition}`.trim(),
  };
}

/** Runs a TypeScript file to its end and exits as it did. */
export function runWithNode24(file, args) {
  installDependencies();
  const node = findNode24();
  const child = spawn(node, [file, ...args], { stdio: "inherit", env: sourceEnv(node) });
  // Ctrl-C reaches the child by itself; we stay to tell how it ended. Other signals are passed on.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(`${node} cannot be run: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
