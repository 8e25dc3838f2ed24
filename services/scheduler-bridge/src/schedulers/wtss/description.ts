/** What a project in WTSS says of itself: experiment, version, owner, link. Pure. */
import type { Target } from "../scheduler.ts";

/** WTSS takes 2 048 characters, but a change comes in a request's line, of which servers read 8 KiB. */
const MAX_ENCODED = 4000;

export function projectDescription(target: Target, consoleBaseUrl: string): string {
  const { experimentId, versionName, owner } = target;
  const link = experimentLink(target, consoleBaseUrl);
  const rest = ` (${experimentId}), version ${versionName}, published by ${owner}: ${link}`;
  const points = Array.from(target.experimentName.toWellFormed());
  for (let kept = Math.min(points.length, MAX_ENCODED); ; kept--) {
    const name = points.slice(0, kept).join("") + (kept < points.length ? "…" : "");
    const text = `AIEP experiment ${name}${rest}`;
    if (encodeURIComponent(text).length <= MAX_ENCODED || kept === 0) return text;
  }
}

/** The route of the documents' success line, without a run. */
function experimentLink({ experimentId, versionName }: Target, consoleBaseUrl: string): string {
  const base = consoleBaseUrl.replace(/\/+$/, "");
  return `${base}/#/train/workflow/orchestrator/${experimentId}?version=${versionName}`;
}
