/** A run brought to its end without an engine: as its owner would commit the last step. */
import { RUN_STATE_EVENTS, type RunId, type RunNodeState, type TerminalRunState } from "@aiep/contracts";
import { untouchedView } from "../domain/engine/index.ts";
import { identityOf } from "../store/outbox.ts";
import type { OwnedRuns } from "../store/owned-runs.ts";
import type { RunStatus, RunStore } from "../store/run-store.ts";

interface End {
  readonly at?: Date;
  readonly state?: TerminalRunState;
  /** By node; those of the definition that are not named ended Succeeded. */
  readonly nodes?: Readonly<Record<string, RunNodeState>>;
}

/** No replica holds the run's shard, or ever held it. */
export async function endRun(
  { store, owned }: { readonly store: RunStore; readonly owned: OwnedRuns },
  id: RunId,
  { at = new Date(), state = "Succeeded", nodes = {} }: End = {},
): Promise<void> {
  const loaded = await owned.load(id);
  const definition = loaded && (await store.definition(loaded.facts.digest));
  if (loaded === undefined || definition === undefined) throw new Error(`there is no run ${id}`);
  const { facts, status: before } = loaded;
  const rows = definition.nodes.map((node) => ({
    view: { ...untouchedView(node), state: nodes[node.id] ?? "Succeeded", attempt: 1, outputs: { from: id } },
    executor: null,
  }));
  const status: RunStatus = {
    ...before,
    version: before.version + 1,
    state,
    message: "as it ended",
    startedAt: at,
    finishedAt: at,
  };
  const data = {
    ...identityOf(facts),
    state,
    reason: null,
    message: status.message,
    nodes: rows.map(({ view }) => view).slice(0, 1),
    started_at: at.toISOString(),
    finished_at: at.toISOString(),
    deadline_at: null,
    paused_at: null,
  };
  await owned.commit({
    facts,
    epoch: 0,
    version: before.version,
    status,
    nodesByState: { Succeeded: rows.length },
    nodes: rows,
    attempts: rows.map(({ view }) => ({ key: view.key, attempt: 1, view })),
    events: [{ definition: RUN_STATE_EVENTS[state], data }],
    commands: [],
    answered: [],
    requests: [],
    also: [],
    now: at,
  });
}
