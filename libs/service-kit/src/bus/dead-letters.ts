import type { DeadLetterView } from "@aiep/contracts";
import type { Consumer } from "../inbox/consumer.ts";
import type { Bus } from "./bus.ts";

export interface DeadLettersDeps {
  readonly bus: Bus;
  readonly service: string;
  readonly env: string;
  readonly consumers: readonly Consumer[];
}

export interface DeadLetterPage {
  readonly items: readonly DeadLetterView[];
  readonly next_cursor: string | null;
}

export interface DeadLetters {
  list(options: { readonly limit: number; readonly cursor?: string | undefined }): Promise<DeadLetterPage>;
  /** Runs the message through its consumer's handler again; gone from the list when that worked. DEAD_LETTER_NOT_FOUND. */
  redrive(id: string): Promise<DeadLetterView>;
}

export function createDeadLetters(_deps: DeadLettersDeps): DeadLetters {
  throw new Error("pending");
}
