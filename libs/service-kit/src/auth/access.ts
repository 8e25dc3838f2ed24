/**
 * Who may see and who may change what belongs to a group (D15, D29): members everything, viewers and administrators reading
 * only. What belongs to a group that the caller does not see does not exist for them: not found, never FORBIDDEN.
 */
import { AiepError, type GroupId } from "@aiep/contracts";
import type { Principal } from "./principal.ts";

export type VisibleGroups = readonly GroupId[] | "all";

export function visibleGroups(principal: Principal): VisibleGroups {
  return principal.isAdmin ? "all" : principal.memberships.map(({ group }) => group.id);
}

export function seesGroup(principal: Principal, groupId: GroupId): boolean {
  const groups = visibleGroups(principal);
  return groups === "all" || groups.includes(groupId);
}

/** VIEWER_ONLY to whoever may only read in the group. */
export function requireMember(principal: Principal, groupId: GroupId): void {
  const membership = principal.memberships.find(({ group }) => group.id === groupId);
  if (membership?.role === "member") return;
  if (membership === undefined)
    throw new AiepError("NOT_A_MEMBER", `${principal.user} is not a member of the group ${groupId}.`);
  throw new AiepError(
    "VIEWER_ONLY",
    `${principal.user} may only read in the group ${membership.group.name}.`,
    { hint: `Ask ${membership.group.admin}, who administers the group, for the member role.` },
  );
}

/** Where something new goes: the group asked for, or the caller's only one. */
export function groupForNew(principal: Principal, asked: GroupId | undefined): GroupId {
  const groups = principal.memberships.map(({ group }) => group.id);
  const [only, second] = groups;
  const chosen = asked ?? (second === undefined ? only : undefined);
  if (chosen === undefined)
    throw new AiepError(
      "GROUP_REQUIRED",
      only === undefined
        ? `${principal.user} is in no group.`
        : `${principal.user} is in several groups: set group_id to one of ${groups.join(", ")}.`,
    );
  requireMember(principal, chosen);
  return chosen;
}

export interface Candidate<Id extends string> {
  readonly id: Id;
  readonly name: string;
  readonly state?: string;
}

export interface PrefixLookup<Id extends string> {
  /** Plural, for people: `tasks`. */
  readonly what: string;
  /** The schema of a whole id. */
  readonly id: {
    safeParse(written: string): { readonly success: true; readonly data: Id } | { readonly success: false };
  };
  readonly notFound: (written: string) => AiepError;
  readonly find: (prefix: string, groups: VisibleGroups, limit: number) => Promise<readonly Candidate<Id>[]>;
}

const MAX_CANDIDATES = 5;

/** A whole id as it is, or the one id that begins so among what the caller sees (D33). */
export async function resolveId<Id extends string>(
  { what, id, notFound, find }: PrefixLookup<Id>,
  principal: Principal,
  written: string,
): Promise<Id> {
  const whole = id.safeParse(written);
  if (whole.success) return whole.data;
  const candidates = await find(written, visibleGroups(principal), MAX_CANDIDATES + 1);
  const [first, second] = candidates;
  if (first === undefined) throw notFound(written);
  if (second === undefined) return first.id;
  const shown = candidates.slice(0, MAX_CANDIDATES);
  const more = candidates.length > MAX_CANDIDATES ? ", and more" : "";
  throw new AiepError(
    "AMBIGUOUS_ID",
    `Several ${what} begin with ${written}: ${shown.map((each) => `${each.id} (${each.name})`).join(", ")}${more}.`,
    {
      extensions: {
        candidates: shown.map(({ id: candidate, name, state }) => ({
          id: candidate,
          name,
          ...(state === undefined ? {} : { state }),
        })),
      },
    },
  );
}

export interface VisibleLookup<Id extends string, Item> extends PrefixLookup<Id> {
  readonly get: (id: Id) => Promise<Item | undefined>;
  readonly groupOf: (item: Item) => GroupId;
}

/** By whole id or unique prefix, when the caller sees it; what they may not see is not there for them. */
export async function findVisible<Id extends string, Item>(
  lookup: VisibleLookup<Id, Item>,
  principal: Principal,
  written: string,
): Promise<Item> {
  const found = await lookup.get(await resolveId(lookup, principal, written));
  if (found === undefined || !seesGroup(principal, lookup.groupOf(found))) throw lookup.notFound(written);
  return found;
}
