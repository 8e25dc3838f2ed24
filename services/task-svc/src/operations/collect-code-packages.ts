/**
 * Code packages nobody needs any more go: the row first, then the file, when no other group has the same content.
 * Every replica may do it at any time.
 *
 * N1 what a task that is not deleted uses stays, and so does what was uploaded or asked for lately. Who is about to submit
 *    with a package asks for it first, which renews it: it cannot go between that and the task's row.
 * N2 a file goes only when it is old and no row has its content. An upload puts a new file in place before its row, so a
 *    file without a row may be young; `removeOld` of the files judges the age of what it took away, not of what it saw.
 * N3 a crash in between leaves a file without a row, which the next round finds.
 */
import type { Logger } from "@aiep/service-kit";
import type { CodePackageFiles } from "../code-packages/package-files.ts";
import type { CodePackageRows } from "../store/code-package-rows.ts";

export interface CollectDeps {
  readonly rows: CodePackageRows;
  readonly files: Pick<CodePackageFiles, "oldContents" | "removeOld">;
  readonly keepMs: number;
  readonly clock: () => Date;
  readonly log: Pick<Logger, "info">;
}

const STEP = 200;

export async function collectCodePackages(deps: CollectDeps, signal: AbortSignal): Promise<void> {
  const before = new Date(deps.clock().getTime() - deps.keepMs);
  const packages = await forgetUnused(deps, before, signal);
  const files = await removeUnknown(deps, before, signal);
  if (packages + files > 0) deps.log.info({ packages, files }, "unused code packages removed");
}

/** N1 */
async function forgetUnused({ rows }: CollectDeps, before: Date, signal: AbortSignal): Promise<number> {
  let forgotten = 0;
  for (;;) {
    const unused = await rows.unused(before, STEP);
    for (const id of unused) {
      if (signal.aborted) return forgotten;
      if (await rows.forget(id, before)) forgotten += 1;
    }
    if (unused.length < STEP) return forgotten;
  }
}

/** N2, N3 */
async function removeUnknown(
  { rows, files }: CollectDeps,
  before: Date,
  signal: AbortSignal,
): Promise<number> {
  let removed = 0;
  const old = await files.oldContents(before);
  for (let at = 0; at < old.length; at += STEP) {
    const some = old.slice(at, at + STEP);
    const known = await rows.known(some);
    for (const sha256 of some) {
      if (signal.aborted) return removed;
      if (!known.has(sha256) && (await files.removeOld(sha256, before))) removed += 1;
    }
  }
  return removed;
}
