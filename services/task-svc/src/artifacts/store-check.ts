/** The store of directories between tasks, as one line of `doctor` and of readiness. */
import type { ObjectStore } from "@aiep/objects";
import { within } from "@aiep/service-kit";
import type { RuntimeCheck } from "../domain/runtime.ts";

const PATIENCE_MS = 3_000;

export async function checkArtifactStore(objects: Pick<ObjectStore, "check">): Promise<RuntimeCheck> {
  const name = "directories";
  const why = await within(
    PATIENCE_MS,
    objects.check().then(nothing, messageOf),
    `no answer in ${PATIENCE_MS / 1000} s`,
  );
  if (why === undefined) return { name, status: "pass", message: "What tasks leave for others can be kept." };
  const message = `What tasks leave for others cannot be kept (${why}); see AIEP_ARTIFACT_STORE.`;
  return { name, status: "fail", message };
}

const nothing = () => undefined;
const messageOf = (error: unknown) =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);
