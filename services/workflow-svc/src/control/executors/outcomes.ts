/** A component's outcome in the engine's words, within the limits of what a node may leave. */
import { MAX_OUTPUT_BYTES } from "@aiep/contracts";
import type { Outcome } from "../../components/component.ts";
import type { AttemptOutcome } from "../../domain/engine/model.ts";
import type { JsonObject } from "../../store/run-store.ts";

export function outcomeOf(outcome: Outcome): AttemptOutcome {
  if (outcome.kind === "failed") {
    const { failure, reason, message } = outcome;
    return failure === "cancelled"
      ? { kind: "cancelled", reason, message }
      : { kind: "failed", failure, reason, message };
  }
  return succeededWith(outcome.outputs, outcome.message);
}

export function succeededWith(outputs: JsonObject, message: string | null): AttemptOutcome {
  const bytes = Buffer.byteLength(JSON.stringify(outputs));
  if (bytes > MAX_OUTPUT_BYTES) {
    return {
      kind: "failed",
      failure: "user",
      reason: "OutputsTooLarge",
      message: `The node left ${bytes} bytes of output values, ${MAX_OUTPUT_BYTES} are possible; leave larger data as a directory.`,
    };
  }
  return { kind: "succeeded", outputs: { ...outputs }, ...(message === null ? {} : { message }) };
}
