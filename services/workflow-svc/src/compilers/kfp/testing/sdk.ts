/**
 * The real KFP SDK for tests: AIEP_KFP_PYTHON, or a virtual environment of its own in the user's cache, made once by pip.
 * Where neither can be had the tests say so and are skipped.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const KFP_VERSION = "2.17.0";
const run = promisify(execFile);

export type Sdk =
  | { readonly kind: "found"; run(script: string, args: readonly string[]): Promise<unknown> }
  | { readonly kind: "missing"; readonly why: string };

export async function findSdk(env: NodeJS.ProcessEnv): Promise<Sdk> {
  try {
    const python = env["AIEP_KFP_PYTHON"] ?? (await ensureEnvironment(env));
    return {
      kind: "found",
      run: async (script, args) => {
        const { stdout } = await run(python, [join(import.meta.dirname, script), ...args], {
          maxBuffer: 64 * 1024 * 1024,
        });
        return JSON.parse(stdout);
      },
    };
  } catch (error) {
    return { kind: "missing", why: error instanceof Error ? error.message : String(error) };
  }
}

/** Made beside and named when it is whole: several test files may look for it at once. */
async function ensureEnvironment(env: NodeJS.ProcessEnv): Promise<string> {
  const cache = join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "aiep-dev-servers");
  const folder = join(cache, `kfp-${KFP_VERSION}`);
  const python = join(folder, "bin", "python");
  if (existsSync(python)) return python;
  await mkdir(cache, { recursive: true });
  const building = await mkdtemp(`${folder}-building-`);
  try {
    await run("python3", ["-m", "venv", building]);
    const own = join(building, "bin", "python");
    await run(own, ["-m", "pip", "install", "--quiet", `kfp==${KFP_VERSION}`], { timeout: 240_000 });
    await run(own, ["-c", "import kfp"]);
    await rename(building, folder).catch((error: unknown) => {
      if (!existsSync(python)) throw error;
    });
    return python;
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}
