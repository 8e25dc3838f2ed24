/** Routes of runs: start, read, wait, follow, steer, decide, delete. */
import { type HistoryEntry, isTerminalRun, ROUTES, type RunView, runState } from "@aiep/contracts";
import { createOnce, etag, followHistory, notModified, registerRoute, sse } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import { findRun } from "../operations/access.ts";
import { decide, getNode, listNodes } from "../operations/run-nodes.ts";
import {
  cancelRun,
  deleteRun,
  listRuns,
  pauseRun,
  resumeRun,
  runHistory,
  waitForRun,
} from "../operations/runs.ts";
import { rerun, startRun } from "../operations/start-run.ts";
import type { RunRecord } from "../store/run-store.ts";
import { contextOf, type RouteDeps, replayedHeader } from "./context.ts";
import { createdRunView, nodeDetail, nodeView, runView } from "./views.ts";

export function registerRunRoutes(app: FastifyInstance, deps: RouteDeps): void {
  registerStart(app, deps);
  registerReading(app, deps);
  registerSteering(app, deps);
}

function registerStart(app: FastifyInstance, deps: RouteDeps): void {
  registerRoute(app, ROUTES.startRun, async (request) => {
    const { principal, params, body } = request;
    const { body: view, replayed } = await createOnce(deps, {
      route: ROUTES.startRun,
      request,
      content: { ...body, experiment: params.experiment_id },
      view: createdRunView,
      perform: async (also) =>
        await startRun(deps, principal, params.experiment_id, body, { ...contextOf(request), also }),
    });
    return { body: view, headers: createdHeaders(view, replayed) };
  });

  registerRoute(app, ROUTES.rerun, async (request) => {
    const { principal, params, body } = request;
    const { body: view, replayed } = await createOnce(deps, {
      route: ROUTES.rerun,
      request,
      content: { ...body, rerun: params.run_id },
      view: createdRunView,
      perform: async (also) =>
        await rerun(deps, principal, params.run_id, body, { ...contextOf(request), also }),
    });
    return { body: view, headers: createdHeaders(view, replayed) };
  });
}

function registerReading(app: FastifyInstance, deps: RouteDeps): void {
  registerRoute(app, ROUTES.listRuns, async ({ principal, query }) => {
    const { runs, nextCursor } = await listRuns(deps, principal, query);
    return { body: { items: runs.map(runView), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getRun, async ({ principal, params, query, ifNoneMatch, signal }) => {
    const { wait_seconds: seconds = 0, after_version: afterVersion, until = "changed" } = query;
    const wait = { seconds, afterVersion, until };
    const run = await waitForRun(deps, principal, params.run_id, wait, signal);
    const { version } = run.status;
    return {
      ...answer(run),
      ...(notModified(ifNoneMatch, version) ? { status: 304 } : {}),
    };
  });

  registerRoute(app, ROUTES.listRunNodes, async ({ principal, params, query }) => {
    const { nodes, nextCursor } = await listNodes(deps, principal, params.run_id, query);
    return { body: { items: nodes.map(nodeView), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getRunNode, async ({ principal, params }) => ({
    body: nodeDetail(await getNode(deps, principal, params.run_id, params.node_key)),
  }));

  registerRoute(app, ROUTES.getRunHistory, async ({ principal, params, query }) => {
    // One more than asked for says whether there is a next page; the cursor of a history is a version.
    const page = { afterVersion: query.after_version, limit: query.limit + 1 };
    const entries = await runHistory(deps, principal, params.run_id, page);
    const items = entries.slice(0, query.limit);
    const last = items.at(-1);
    const more = entries.length > query.limit && last !== undefined;
    return { body: { items, next_cursor: more ? String(last.version) : null } };
  });

  registerRoute(app, ROUTES.streamRun, async (request, reply) => {
    const { facts, status } = await findRun(deps, request.principal, request.params.run_id);
    const stream = sse(reply, request.raw, { signal: request.signal });
    const after = lastSeen(request.lastEventId ?? request.query.last_event_id, status.version);
    const { runs, changes } = deps;
    const history = async (...page: Parameters<typeof runs.history>) => await runs.history(...page);
    for await (const entry of followHistory({ history, changes, isEnd }, facts.id, after, stream.closed)) {
      await stream.ready();
      if (!stream.send({ event: "status", id: String(entry.version), data: entry })) return undefined;
    }
    if (stream.closed.aborted) return undefined;
    const last = await runs.get(facts.id);
    stream.end(last === undefined ? {} : { state: last.status.state, version: last.status.version });
    return undefined;
  });
}

function isEnd(entry: HistoryEntry): boolean {
  const state = runState.safeParse(entry.data["state"]);
  return state.success && isTerminalRun(state.data);
}

/** An id that is no version of this run starts from the beginning: too much is better than a gap. */
function lastSeen(lastEventId: string | undefined, version: number): number {
  const seen = lastEventId !== undefined && /^\d{1,9}$/.test(lastEventId) ? Number(lastEventId) : 0;
  return seen > version ? 0 : seen;
}

function registerSteering(app: FastifyInstance, deps: RouteDeps): void {
  registerRoute(app, ROUTES.pauseRun, async ({ principal, params }) =>
    answer(await pauseRun(deps, principal, params.run_id)),
  );
  registerRoute(app, ROUTES.resumeRun, async ({ principal, params }) =>
    answer(await resumeRun(deps, principal, params.run_id)),
  );
  registerRoute(app, ROUTES.cancelRun, async ({ principal, params, body }) =>
    answer(await cancelRun(deps, principal, params.run_id, body.reason)),
  );
  registerRoute(app, ROUTES.deleteRun, async (request) => {
    const { principal, params, ifMatch } = request;
    await deleteRun(deps, principal, params.run_id, { ...contextOf(request), ifMatch });
    return undefined;
  });
  registerRoute(app, ROUTES.approveNode, async ({ principal, params, body }) => {
    const at = { run: params.run_id, node: params.node_key };
    return answer(await decide(deps, principal, at, { ...body, approved: true }));
  });
  registerRoute(app, ROUTES.rejectNode, async ({ principal, params, body }) => {
    const at = { run: params.run_id, node: params.node_key };
    return answer(await decide(deps, principal, at, { ...body, approved: false }));
  });
}

function answer(run: RunRecord) {
  return { body: runView(run), headers: { etag: etag(run.status.version) } };
}

function createdHeaders(view: RunView, replayed: boolean): Record<string, string> {
  return { location: `/v1/runs/${view.id}`, etag: etag(view.version), ...replayedHeader(replayed) };
}
