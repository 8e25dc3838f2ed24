/** Whether anything says which server to ask; without reading it, so that `version` stays quick. */
import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Options } from "../cli/options.ts";
import type { Shell } from "../cli/shell.ts";

export async function anyConfiguration(options: Options, { env, cwd, home }: Shell): Promise<boolean> {
  const named = [
    options.text("server"),
    options.text("aiepctl-config"),
    env["AIEPCTL_SERVER"],
    env["AIEPCTL_CONFIG"],
  ];
  if (named.some((each) => each !== undefined && each !== "")) return true;
  const xdg = env["XDG_CONFIG_HOME"] || join(home, ".config");
  const places = [
    join(xdg, "aiepctl", "config.yaml"),
    join(home, ".aiepctl", "config"),
    ...localStackFiles(env, cwd),
  ];
  const found = await Promise.all(
    places.map((path) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

/** Where a local stack leaves its context: in `AIEP_HOME`, which moves it out of its checkout, else in `.aiep` above a folder. */
export function localStackFiles(env: Shell["env"], cwd: string): string[] {
  const moved = env["AIEP_HOME"];
  if (moved !== undefined && moved !== "") return [join(resolve(cwd, moved), "client.yaml")];
  const places: string[] = [];
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    places.push(join(folder, ".aiep", "client.yaml"));
    if (dirname(folder) === folder) return places;
  }
}
