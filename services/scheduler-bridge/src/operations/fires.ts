/** Fires as people look at them: what was to run, and what became of it. */
import { AiepError, type FireId, fireId } from "@aiep/contracts";
import { findVisible, type Principal, visibleGroups } from "@aiep/service-kit";
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
  return await findVisible<FireId, Fire>(
    {
      what: "fires",
      id: fireId,
      notFound,
      find: async (prefix, groups, limit) => {
        const found = await fires.findByPrefix(prefix, groups, limit);
        return found.map(({ id: each, state }) => ({ id: each, name: each, state }));
      },
      get: async (id) => await fires.get(id),
      groupOf: ({ groupId }) => groupId,
    },
    principal,
    written,
  );
}
