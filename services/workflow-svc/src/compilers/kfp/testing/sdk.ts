/**
 * The real KFP SDK for tests: AIEP_KFP_PYTHON, or a virtual environment of its own in the user's cache, made once by pip.
 * Where neither can be had the tests say so and are skipped.
 */
import { execFile } from "node:child_process";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const KFP_VERSION = "2.17.0";
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

async function ensureEnvironment(env: NodeJS.ProcessEnv): Promise<string> {
  const cache = join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "aiep-dev-servers");
  const folder = join(cache, `kfp-${KFP_VERSION}`);
  const python = join(folder, "bin", "python");
  const there = await access(join(folder, "complete")).then(
    () => true,
    () => false,
  );
  if (there) return python;
  await mkdir(cache, { recursive: true });
  await rm(folder, { recursive: true, force: true });
  await run("python3", ["-m", "venv", folder]);
  await run(join(folder, "bin", "pip"), ["install", "--quiet", `kfp==${KFP_VERSION}`], { timeout: 240_000 });
  await run(python, ["-c", "import kfp"]);
  await mkdir(join(folder, "complete.part"));
  await rename(join(folder, "complete.part"), join(folder, "complete"));
  return python;
}
