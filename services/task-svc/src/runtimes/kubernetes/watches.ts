/** The watches of the runtime, by kind; one that is open is not opened again. */
import {
  type Connection,
  pathOf,
  type Query,
  type Reflector,
  type ReflectorHandler,
  type ReflectorOptions,
  startReflector,
} from "@aiep/kube";
import type { Logger } from "@aiep/service-kit";
import { KINDS } from "./kinds.ts";

export type KindName = keyof typeof KINDS;

export interface WatchesDeps {
  readonly connection: Connection;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Limits of the watches, when not the reflector's own. */
  readonly limits?: Pick<ReflectorOptions, "stallMs" | "serverTimeoutSeconds" | "backoff"> | undefined;
}

export class Watches {
  readonly #deps: WatchesDeps;
  readonly #reflectors = new Map<KindName, Reflector>();

  constructor(deps: WatchesDeps) {
    this.#deps = deps;
  }

  open(name: KindName, handler: ReflectorHandler, query: Query = {}): void {
    if (this.#reflectors.has(name)) return;
    const { limits, ...common } = this.#deps;
    const path = pathOf(KINDS[name]);
    this.#reflectors.set(name, startReflector({ ...common, path, query, handler, ...limits }));
  }

  async synced(names: readonly KindName[]): Promise<void> {
    await Promise.all(names.map(async (name) => await this.#reflectors.get(name)?.synced));
  }

  /** Per kind what is wrong with its watch, or null. */
  troubles(): ReadonlyMap<KindName, string | null> {
    return new Map([...this.#reflectors].map(([name, { trouble }]) => [name, trouble]));
  }

  /** After the signal has aborted. */
  async closed(): Promise<void> {
    await Promise.all([...this.#reflectors.values()].map(({ done }) => done));
  }
}
