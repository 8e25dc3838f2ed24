/**
 * `npm run boundaries`: the walls of the house (D1, D2) as a check over the imports of every source file.
 * The rules are data below; `boundaries.test.ts` proves that each finds its trespasser.
 */
import { globSync, readFileSync } from "node:fs";
import { join, normalize, posix } from "node:path";

export interface SourceFile {
  /** Below the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

interface Rule {
  readonly id: string;
  readonly why: string;
  readonly applies: (path: string) => boolean;
  /** True when the import, resolved to a path below the repository or a bare specifier, trespasses. */
  readonly forbids?: (target: string, path: string) => boolean;
  /** Forbidden in the text itself. */
  readonly pattern?: RegExp;
}

const workspaceOf = (path: string) => path.split("/").slice(0, 2).join("/");
/** Tests, their helpers, and suites that tests of several adapters share. */
const isTest = (path: string) => /\.test\.ts$|\/testing\/|\/conformance\//.test(path);
const inService = (path: string) => path.startsWith("services/") && !isTest(path);
const room = (path: string) => path.split("/")[3] ?? "";
/** Libraries without I/O, clock or dice that a domain may use; of node:crypto the hashes, its dice are found by their names. */
const PURE_LIBRARIES = [
  "@aiep/contracts",
  "@aiep/expressions",
  "zod",
  "yaml",
  "@marcbachmann/cel-js",
  "croner",
  "node:crypto",
];
const ADAPTERS = ["runtimes", "components", "schedulers", "sources"];

export const RULES: readonly Rule[] = [
  {
    id: "D1 services meet on the wire",
    why: "a service imports only libs/* and itself",
    applies: (path) => path.startsWith("services/"),
    forbids: (target, path) =>
      target.startsWith("services/")
        ? workspaceOf(target) !== workspaceOf(path)
        : /^@aiep\/(task-svc|log-svc|workflow-svc|scheduler-bridge)/.test(target),
  },
  {
    id: "D1 libraries know no service",
    why: "libs/* never import services, apps or deploy",
    applies: (path) => path.startsWith("libs/"),
    forbids: (target) =>
      /^(services|apps|deploy)\//.test(target) ||
      /^@aiep\/(task-svc|log-svc|workflow-svc|scheduler-bridge|deploy-local)/.test(target),
  },
  {
    id: "D1 test servers stay in tests",
    why: "services and service-kit use @aiep/dev-servers in tests only",
    applies: (path) =>
      (path.startsWith("services/") || path.startsWith("libs/service-kit/")) && !isTest(path),
    forbids: (target) => target === "@aiep/dev-servers",
  },
  {
    id: "D2 the domain is pure",
    why: "domain/ imports domain/ and the contracts, nothing that does I/O",
    applies: (path) => inService(path) && room(path) === "domain",
    forbids: (target, path) =>
      target.startsWith("services/")
        ? room(target) !== "domain" || workspaceOf(target) !== workspaceOf(path)
        : !PURE_LIBRARIES.includes(target),
  },
  {
    id: "D2 the domain has no clock and no dice",
    why: "time, randomness and the environment are passed in",
    applies: (path) => inService(path) && room(path) === "domain",
    pattern:
      /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\brandom(UUID|Bytes|Fill|FillSync|Int)\b|\bgenerateKey|\bgetRandomValues\b|\bprocess\.|\bperformance\./,
  },
  {
    id: "D2 only store/ knows the ORM",
    why: "MikroORM stays behind the store's interface",
    applies: (path) => inService(path) && room(path) !== "store",
    forbids: (target) => target.startsWith("@mikro-orm/"),
  },
  {
    id: "D2 adapters depend on the domain only",
    why: "runtimes and their like never reach into api, messaging, store or control",
    applies: (path) => inService(path) && ADAPTERS.includes(room(path)),
    forbids: (target) =>
      target.startsWith("services/") &&
      ["api", "messaging", "store", "control", "operations", "main.ts"].includes(room(target)),
  },
  {
    id: "only config.ts reads the environment",
    why: "configuration is a function of its input (config.ts, and entry points that hand process.env to it)",
    applies: (path) => inService(path) && !/\/(config|main|migrate)\.ts$/.test(path),
    pattern: /\bprocess\.env\b/,
  },
];

const IMPORT = /(?:\bfrom\s+|\bimport\s*\(\s*|^\s*import\s+)["']([^"']+)["']/gm;

export function trespasses(file: SourceFile): string[] {
  const targets = [...file.text.matchAll(IMPORT)].map(([, specifier = ""]) =>
    specifier.startsWith(".") ? posix.normalize(posix.join(posix.dirname(file.path), specifier)) : specifier,
  );
  return RULES.filter((rule) => rule.applies(file.path)).flatMap((rule) => [
    ...targets
      .filter((target) => rule.forbids?.(target, file.path) ?? false)
      .map((target) => `${file.path}: imports ${target} — ${rule.id}: ${rule.why}`),
    ...(rule.pattern?.test(withoutComments(file.text)) ? [`${file.path}: ${rule.id}: ${rule.why}`] : []),
  ]);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const paths = globSync(["libs/*/src/**/*.ts", "services/*/src/**/*.ts", "apps/*/src/**/*.ts"], {
    cwd: root,
  });
  const found = paths.flatMap((path) =>
    trespasses({ path: normalize(path).replaceAll("\\", "/"), text: readFileSync(join(root, path), "utf8") }),
  );
  for (const line of found) console.error(line);
  console.log(found.length === 0 ? `boundaries hold in ${paths.length} files` : `${found.length} trespasses`);
  if (found.length > 0) process.exitCode = 1;
}
