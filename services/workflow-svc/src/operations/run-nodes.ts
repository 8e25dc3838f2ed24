/** Nodes of a run as people see them: in the order of the graph, with those that nothing happened to yet, attempts, decisions. */
import {
  AiepError,
  type DirectoryGroup,
  MAX_OUTPUT_BYTES,
  type RunNodeState,
  type RunNodeView,
  runNodeKey,
} from "@aiep/contracts";
import type { Principal } from "@aiep/service-kit";
import * as z from "zod";
import { type Decider, mayDecide } from "../components/approval/component.ts";
import { APPROVAL_ROLES } from "../components/component.ts";
import { untouchedView } from "../domain/engine/index.ts";
import type { AttemptRow, JsonObject, NodeRow, RunRecord } from "../store/run-store.ts";
import { findRun } from "./access.ts";
import type { OperationDeps } from "./deps.ts";
import { type RunChoice, runGraph } from "./run-graph.ts";
import { definitionOf } from "./versions.ts";

/** In the order of the graph, children of a for_each after their node. */
export async function listNodes(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  query: {
    readonly limit: number;
    readonly cursor?: string | undefined;
    readonly state?: readonly RunNodeState[] | undefined;
  },
): Promise<{ readonly nodes: readonly RunNodeView[]; readonly nextCursor: string | null }> {
  const run = await findRun(deps, principal, written);
  const from = placeOf(query.cursor);
  const wanted = (await nodesOf(deps, run)).filter(
    ({ state }) => query.state === undefined || query.state.length === 0 || query.state.includes(state),
  );
  const nodes = wanted.slice(from, from + query.limit);
  const next = from + nodes.length;
  return { nodes, nextCursor: next < wanted.length ? `n${next}` : null };
}

/** The order of a run's nodes never changes, so a place in it is a cursor. */
function placeOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const place = /^n(\d{1,9})$/.exec(cursor)?.[1];
  if (place === undefined) throw new AiepError("BAD_CURSOR", "The cursor is not one of this list's.");
  return Number(place);
}

async function nodesOf(deps: OperationDeps, run: RunRecord): Promise<readonly RunNodeView[]> {
  const { facts } = run;
  const graph = await graphOf(deps, run);
  const written = new Map<string, NodeRow[]>();
  for (const row of await deps.runs.nodes(facts.id)) {
    const id = row.view.node_id;
    written.set(id, [...(written.get(id) ?? []), row]);
  }
  return graph.nodes
    .filter(({ definition: { id } }) => !graph.whole || written.has(id))
    .toSorted((a, b) => Number(a.final) - Number(b.final) || a.depth - b.depth || a.at - b.at)
    .flatMap(({ definition: node }) => {
      const views = (written.get(node.id) ?? []).map(({ view }) => view);
      const own = views.find(({ index }) => index === null) ?? untouchedView(node);
      const children = views.filter(({ index }) => index !== null);
      return [own, ...children.toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0))];
    });
}

/** `whole`: the run it took results from was deleted; it has ended itself then, and each of its nodes has been written. */
async function graphOf(deps: OperationDeps, { facts }: RunRecord) {
  const { baseRunId, mode, selected } = facts;
  const definition = await definitionOf(deps, facts.digest);
  const base = baseRunId === null ? undefined : await deps.runs.get(baseRunId);
  const whole = baseRunId !== null && base === undefined;
  const choice: RunChoice = whole ? { mode: "all", selected: [], base } : { mode, selected, base };
  return { nodes: (await runGraph(deps, definition, choice)).nodes, whole };
}

export interface NodeWhole {
  readonly node: RunNodeView;
  /** Those that others followed. */
  readonly attempts: readonly AttemptRow[];
}

export async function getNode(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  key: string,
): Promise<NodeWhole> {
  const run = await findRun(deps, principal, written);
  const row = await deps.runs.node(run.facts.id, key);
  if (row !== undefined) return { node: row.view, attempts: await deps.runs.attempts(run.facts.id, key) };
  const node = (await nodesOf(deps, run)).find((each) => each.key === key);
  if (node === undefined) throw unknownNode(run, key);
  return { node, attempts: [] };
}

function unknownNode({ facts }: RunRecord, key: string): AiepError {
  const known = runNodeKey.safeParse(key).success ? key : JSON.stringify(key.slice(0, 100));
  return new AiepError("RUN_NODE_NOT_FOUND", `Run ${facts.id} has no node ${known}.`);
}

const approvers = z.object({
  allowed_users: z.array(z.string()),
  allowed_roles: z.array(z.enum(APPROVAL_ROLES)),
});

/** Approves or rejects what an approval node asks. Members of the group may, or those whom the node names. */
export async function decide(
  deps: OperationDeps,
  principal: Principal,
  at: { readonly run: string; readonly node: string },
  decision: {
    readonly approved: boolean;
    readonly comment?: string | undefined;
    readonly values: JsonObject;
  },
): Promise<RunRecord> {
  const run = await findRun(deps, principal, at.run);
  const row = await deps.runs.node(run.facts.id, at.node);
  // Nothing happened to it yet, or there is no such node at all.
  const { node } =
    row === undefined ? await getNode(deps, principal, run.facts.id, at.node) : { node: row.view };
  if (row === undefined || node.state !== "Suspended") throw notAwaiting(at.node, node.state);
  const named = approvers.safeParse(row.executor);
  const { allowed_users: allowedUsers, allowed_roles: allowedRoles } = named.success
    ? named.data
    : { allowed_users: [], allowed_roles: [] };
  const group = deps.directory.current().group(run.facts.groupId);
  if (!mayDecide({ allowedUsers, allowedRoles }, deciderOf(principal, group)))
    throw new AiepError(
      "NOT_AN_APPROVER",
      `${principal.user} may not decide here; ${whoMay(allowedUsers, allowedRoles)} may.`,
    );
  const bytes = Buffer.byteLength(JSON.stringify(decision.values));
  if (bytes > MAX_OUTPUT_BYTES)
    throw new AiepError(
      "VALIDATION_FAILED",
      `The values have ${bytes} bytes; a node may leave ${MAX_OUTPUT_BYTES}.`,
    );
  await deps.control.decide(run.facts.id, {
    by: principal.user,
    node: at.node,
    attempt: row.view.attempt,
    approved: decision.approved,
    comment: decision.comment,
    values: decision.approved ? decision.values : {},
  });
  return await findRun(deps, principal, run.facts.id);
}

function notAwaiting(key: string, state: RunNodeState): AiepError {
  return new AiepError("NOT_AWAITING_APPROVAL", `Node ${key} is ${state}; it asks for no approval.`);
}

function deciderOf(principal: Principal, group: DirectoryGroup | undefined): Decider {
  const membership = principal.memberships.find(({ group: own }) => own.id === group?.id);
  return {
    user: principal.user,
    member: membership?.role === "member",
    groupAdmin: group?.admin === principal.user,
    platformAdmin: principal.isAdmin,
  };
}

const ROLE_NAMES = { group_admin: "the group's administrator", admin: "platform administrators" } as const;

function whoMay(users: readonly string[], roles: readonly (keyof typeof ROLE_NAMES)[]): string {
  const named = [...users, ...roles.map((role) => ROLE_NAMES[role])];
  return named.length === 0 ? "members of the group" : named.join(", ");
}
