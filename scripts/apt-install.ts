/*
 * `node scripts/with-node24.mjs scripts/apt-install.ts PACKAGE…`: installs those Debian packages that are missing, without
 * starting their services. Needs root; says so otherwise, and fails only when something is missing.
 */
import { aptInstall, findApt } from "../libs/dev-servers/src/apt.ts";
import { loadConfig } from "../libs/dev-servers/src/config.ts";
import { run } from "../libs/dev-servers/src/run.ts";

const config = loadConfig();

async function isInstalled(name: string): Promise<boolean> {
  const query = ["-W", "-f", "${db:Status-Status}", name];
  return (await run("dpkg-query", query, { env: config.childEnv }).catch(() => "")).trim() === "installed";
}

async function missingOf(packages: readonly string[]): Promise<string[]> {
  const checked = await Promise.all(packages.map(async (name) => ((await isInstalled(name)) ? [] : [name])));
  return checked.flat();
}

const missing = await missingOf(process.argv.slice(2));
const apt = await findApt(config);
if (missing.length === 0) {
  console.log("all packages are installed");
} else if (apt === undefined) {
  console.error(`missing, and not root on Debian or Ubuntu: sudo apt-get install -y ${missing.join(" ")}`);
  process.exitCode = 1;
} else {
  const satisfied = async () => (await missingOf(missing)).length === 0;
  await aptInstall(apt, missing, satisfied, config, (line) => console.log(line));
}
