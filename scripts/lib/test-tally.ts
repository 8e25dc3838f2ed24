import { relative } from "node:path";

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What we read of Vitest's JSON report. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** A file that could not be loaded counts as one failure; so does a run that failed without naming a test. */
export function readTally(reportText: string | undefined, exitCode: number): Tally {
  const report = parse(reportText);
  const unloaded = report?.testResults.filter(isUnloaded);
  const failed = (report?.numFailedTests ?? 0) + (unloaded?.length ?? 0);
  return {
    passed: report?.numPassedTests ?? 0,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0),
  };
}

/** One plain line for each failure, to be found at the end of a long output. */
export function failureLines(reportText: string | undefined, root: string): string[] {
  const files = parse(reportText)?.testResults ?? [];
  return files.flatMap((file) => {
    const where = relative(root, file.name);
    if (isUnloaded(file)) return [`FAILED: ${where} could not be loaded`];
    const failed = file.assertionResults.filter(({ status }) => status === "failed");
    return failed.map(({ fullName }) => `FAILED: ${where} > ${fullName}`);
  });
}

function parse(reportText: string | undefined): Report | undefined {
  return reportText === undefined ? undefined : JSON.parse(reportText);
}

const isUnloaded = ({ status, assertionResults }: Report["testResults"][number]): boolean =>
  status === "failed" && assertionResults.length === 0;

export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
