/** The registry with what its kinds need, opened here and closed with it. */
import type { Directory, GroupId } from "@aiep/contracts";
import { createSqlPool } from "@aiep/service-kit";
import type { SqlSource } from "./datachecker/settings.ts";
import { type ComponentRegistry, createRegistry } from "./registry.ts";
import { type ComponentSettings, readSecret } from "./settings.ts";

export interface OpenComponentsDeps {
  readonly directory: { current(): { readonly document: Directory } };
  readonly now: () => number;
}

export interface OpenComponents extends AsyncDisposable {
  readonly registry: ComponentRegistry;
}

/** Checks of one source at the same time; a look is a few milliseconds. */
const CONNECTIONS = 2;
const STATEMENT_MS = 60_000;

export function openComponents(
  settings: ComponentSettings,
  { directory, now }: OpenComponentsDeps,
): OpenComponents {
  const stack = new AsyncDisposableStack();
  const sqlSources = new Map<string, SqlSource>();
  for (const [name, { url, ...source }] of settings.sqlSources) {
    const pool = stack.use(
      createSqlPool({ url, connectionLimit: CONNECTIONS, statementTimeoutMs: STATEMENT_MS }),
    );
    sqlSources.set(name, { pool, ...source });
  }
  const { linkis, http } = settings;
  const registry = createRegistry({
    python: { defaultImage: (groupId) => defaultPythonImage(directory.current().document, groupId) },
    http,
    dataChecker: {
      linkis: linkis && { ...linkis, token: async () => await readSecret(linkis.tokenFile) },
      sqlSources,
      now,
    },
  });
  return { registry, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}

/** The group's own before a public one. */
export function defaultPythonImage({ images }: Directory, groupId: GroupId): string | undefined {
  const marked = images.filter((image) => image.default_for_python);
  const own = marked.find((image) => image.group_id === groupId);
  return (own ?? marked.find((image) => image.group_id === null))?.name;
}
