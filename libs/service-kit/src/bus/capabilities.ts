/** What a nats-server can do, read once from its version (D10). Older servers ignore most newer headers silently. */
import { AiepError } from "@aiep/contracts";

export interface Capabilities {
  readonly version: string;
  /** Streams and consumers carry metadata; `consumers.add` refuses a changed configuration. */
  readonly metadata: boolean;
  /** `term(reason)`: older servers ignore it and deliver the message again. */
  readonly termReason: boolean;
}

const OLDEST = [2, 9, 4] as const;

/** Refuses a server that the client library cannot work with. */
export function capabilitiesOf(version: string): Capabilities {
  const numbers = version.split(/[.-]/).map(Number);
  if (!atLeast(numbers, OLDEST)) {
    throw new AiepError(
      "DEPENDENCY_UNAVAILABLE",
      `nats-server ${version} is too old: ${OLDEST.join(".")} or newer is needed.`,
    );
  }
  return { version, metadata: atLeast(numbers, [2, 10, 0]), termReason: atLeast(numbers, [2, 10, 4]) };
}

function atLeast(version: readonly number[], wanted: readonly number[]): boolean {
  for (const [index, number] of wanted.entries()) {
    const have = version[index] ?? 0;
    if (have !== number) return have > number;
  }
  return true;
}
