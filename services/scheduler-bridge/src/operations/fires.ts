/** Fires as people look at them: what was to run, and what became of it. */
import { AiepError, type FireId, fireId } from "@aiep/contracts";
import { type Principal, resolveId, seesGroup, visibleGroups } from "@aiep/service-kit";
import type { Fire } from "../domain/fire.ts";
import type { FireQuery } from "../store/fire-store.ts";
import type { OperationDeps } from "./deps.ts";

export async function listFires(
  { fires }: Pick<OperationDeps, "fires">,
  principal: Principal,
  query: FireQuery,
) {
  return await fires.list(query, visibleGroups(principal));
}

/** By whole id or unique prefix. */
export async function findFire(
  { fires }: Pick<OperationDeps, "fires">,
  principal: Principal,
  written: string,
): Promise<Fire> {
  const notFound = () => new AiepError("FIRE_NOT_FOUND", `There is no fire ${written} in your groups.`);
  const id = await resolveId<FireId>(
    {
      what: "fires",
      id: fireId,
      notFound,
      find: async (prefix, groups, limit) => {
        const found = await fires.findByPrefix(prefix, groups, limit);
        return found.map(({ id: each, state }) => ({ id: each, name: each, state }));
      },
    },
    principal,
    written,
  );
  const fire = await fires.get(id);
  if (fire === undefined || !seesGroup(principal, fire.groupId)) throw notFound();
  return fire;
}
