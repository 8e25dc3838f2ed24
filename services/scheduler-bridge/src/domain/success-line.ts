/** What the documents have a published flow print when its run was started, and where a person sees the run (D25). */
import type { ExperimentId, RunId } from "@aiep/contracts";

export interface StartedRun {
  readonly runId: RunId;
  readonly experimentId: ExperimentId;
  readonly versionName: string;
  /** `{base}` of the link. */
  readonly consoleUrl: string;
}

export function runLink({ runId, experimentId, versionName, consoleUrl }: StartedRun): string {
  return `${consoleUrl}/#/train/workflow/orchestrator/${experimentId}?version=${versionName}&exp_run_id=${runId}&view-only=Y`;
}

export function successLine(run: StartedRun): string {
  return `实验工作流(${run.runId.slice(0, 9)})提交执行成功，请到AI工程化平台查看执行详情: ${runLink(run)}`;
}
