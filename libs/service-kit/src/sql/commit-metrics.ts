/** What a commit queue tells: how much waits, and how many units share a commit. */
import type { Meter } from "@opentelemetry/api";
import type { CommitQueue } from "./commit-queue.ts";

export function observeCommits(meter: Meter, queue: Pick<CommitQueue, "figures">): void {
  const waiting = meter.createObservableGauge("aiep_commit_waiting_units", {
    description: "Changes that wait for their commit",
  });
  const commits = meter.createObservableCounter("aiep_commits_total", {
    description: "Commits of the commit queue",
  });
  const units = meter.createObservableCounter("aiep_commit_units_total", {
    description: "Changes in these commits; divided by the commits: how many share one",
  });
  meter.addBatchObservableCallback(
    (result) => {
      const { figures } = queue;
      result.observe(waiting, figures.waiting);
      result.observe(commits, figures.commits);
      result.observe(units, figures.units);
    },
    [waiting, commits, units],
  );
}
