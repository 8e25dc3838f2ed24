/**
 * What the runtime says of the place it runs tasks on, for `aiepctl doctor` and readiness. Kept for a while: a cluster is
 * asked many questions for it. Who waits for the answer waits a bounded time.
 */
import type { RuntimeView } from "@aiep/contracts";
import { type Principal, within } from "@aiep/service-kit";
import type { Runtime, RuntimeCheck } from "../domain/runtime.ts";

export interface RuntimeHealth {
  /** For the caller's eyes: of namespaces only those of the caller's groups. */
  view(principal: Pick<Principal, "memberships" | "isAdmin">): Promise<RuntimeView>;
  /** What is wrong, as last known; asks anew in the background when that is old. */
  trouble(): string | undefined;
}

export interface RuntimeHealthDeps {
  readonly runtime: Pick<Runtime, "kind" | "checks">;
  readonly now: () => Date;
}

const GOOD_FOR_MS = 300_000;
/** Who repairs something wants to see it; a probe that comes all the time is no such person. */
const BAD_FOR_MS = { person: 5_000, probe: 60_000 };
const PATIENCE_MS = 4_000;

export function createRuntimeHealth({ runtime, now }: RuntimeHealthDeps): RuntimeHealth {
  let known: { readonly checks: readonly RuntimeCheck[]; readonly at: number } | undefined;
  let asking: Promise<readonly RuntimeCheck[]> | undefined;

  const ask = async (): Promise<readonly RuntimeCheck[]> => {
    const checks = await runtime
      .checks()
      .catch((error: unknown): RuntimeCheck[] => [
        { name: "runtime", status: "fail", message: error instanceof Error ? error.message : String(error) },
      ]);
    known = { checks, at: now().getTime() };
    asking = undefined;
    return checks;
  };
  const current = async (asker: keyof typeof BAD_FOR_MS): Promise<readonly RuntimeCheck[]> => {
    if (known !== undefined) {
      const fine = known.checks.every(({ status }) => status === "pass");
      const goodFor = fine ? GOOD_FOR_MS : BAD_FOR_MS[asker];
      if (now().getTime() - known.at < goodFor) return known.checks;
    }
    asking ??= ask();
    return await asking;
  };
  const late: RuntimeCheck[] = [
    { name: "runtime", status: "fail", message: `It has not answered within ${PATIENCE_MS / 1000} s.` },
  ];

  return {
    view: async ({ memberships, isAdmin }) => {
      const own = new Set(memberships.flatMap(({ group }) => group.namespaces));
      const checks = await within(PATIENCE_MS, current("person"), late);
      return {
        kind: runtime.kind,
        checks: checks
          .filter(({ namespace }) => namespace === undefined || isAdmin || own.has(namespace))
          .map(({ name, status, message }) => ({ name, status, message })),
      };
    },
    trouble: () => {
      void current("probe");
      return known?.checks.find(({ status }) => status === "fail")?.message;
    },
  };
}
