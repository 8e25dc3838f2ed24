/** What a suite measured, beside its budget (design section 11) and this machine's floor. Printed, and kept as JSON. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import type { Floor } from "./floor.ts";

export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: "ms" | "/s" | "MB" | "lines/s" | "s" | "count" | "%" | "×";
  /** Undefined: no budget, a fact worth knowing. */
  readonly budget?: { readonly atMost: number } | { readonly atLeast: number };
}

export interface Report {
  readonly at: string;
  readonly commit: string;
  readonly machine: string;
  readonly floor: Floor;
  readonly figures: readonly Figure[];
}

function verdict({ value, budget }: Figure): string {
  if (budget === undefined) return "";
  const kept = "atMost" in budget ? value <= budget.atMost : value >= budget.atLeast;
  return kept ? "kept" : "MISSED";
}

function budgetText({ budget, unit }: Figure): string {
  if (budget === undefined) return "";
  return "atMost" in budget ? `≤ ${budget.atMost} ${unit}` : `≥ ${budget.atLeast} ${unit}`;
}

export function markdown(report: Report): string {
  const { commit_p50_ms, commits_per_second, publish_p50_ms } = report.floor;
  return [
    `# Figures of ${report.at.slice(0, 10)}`,
    "",
    `Commit ${report.commit}, ${report.machine}. The load generator shares the machine with the services and servers.`,
    "",
    `Floor in the same run: one commit ${commit_p50_ms} ms p50 (${commits_per_second}/s one after another), one publish with its ack ${publish_p50_ms} ms p50.`,
    "",
    "| what | measured | budget | |",
    "| --- | --- | --- | --- |",
    ...report.figures.map(
      (figure) =>
        `| ${figure.what} | ${figure.value} ${figure.unit} | ${budgetText(figure)} | ${verdict(figure)} |`,
    ),
    "",
  ].join("\n");
}

/** Figures are worth keeping also where the sources are no checkout. */
function currentCommit(): string {
  try {
    const answer = execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      encoding: "utf8",
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return answer.trim();
  } catch {
    return "(none)";
  }
}

export function newReport(floor: Floor, figures: readonly Figure[]): Report {
  const commit = currentCommit();
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim() ?? "unknown"}), ${Math.round(totalmem() / 1024 ** 3)} GB, Node ${process.version}`;
  return { at: new Date().toISOString(), commit, machine, floor, figures };
}

/** Suites that were not run this time keep their figures of the last one. */
export function keep(report: Report, folder: string): Report {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "latest.json");
  const merged: Report = { ...report, figures: mergeFigures(earlier(file), report.figures) };
  writeFileSync(file, `${JSON.stringify(merged, null, 2)}\n`);
  writeFileSync(join(folder, "latest.md"), markdown(merged));
  return merged;
}

function earlier(file: string): readonly Figure[] {
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as Report).figures; // written by us
  } catch {
    return [];
  }
}

function mergeFigures(old: readonly Figure[], now: readonly Figure[]): Figure[] {
  const fresh = new Map(now.map((figure) => [figure.what, figure]));
  const kept = old.map((figure) => fresh.get(figure.what) ?? figure);
  const known = new Set(old.map((figure) => figure.what));
  return [...kept, ...now.filter((figure) => !known.has(figure.what))];
}
