/** Looks at the cluster's machines when a workload finds no place, and not again for a while: lists are long. */
import { type KubeClient, pathOf } from "@aiep/kube";
import * as z from "zod";
import { KINDS } from "./kinds.ts";
import { machine, type Room, roomsOf, tenant } from "./observe/room.ts";

export interface RoomsDeps {
  readonly client: Pick<KubeClient, "ask">;
  /** Whoever waited for the numbers can be told now. */
  readonly seen: (keys: Iterable<string>) => void;
  readonly failed: (error: unknown) => void;
  readonly now: () => Date;
}

const AGE_MS = 60_000;
const PAGE = 250;
const list = z.object({
  metadata: z.object({ continue: z.string().optional() }).prefault({}),
  items: z.array(z.unknown()).nullish(),
});

export class Rooms {
  readonly #deps: RoomsDeps;
  readonly #waiting = new Set<string>();
  #rooms: readonly Room[] | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: RoomsDeps) {
    this.#deps = deps;
  }

  /** As last seen. */
  get known(): readonly Room[] | undefined {
    return this.#rooms;
  }

  /** The workload has found no place. */
  want(key: string): void {
    this.#waiting.add(key);
    const now = this.#deps.now().getTime();
    if (now - this.#lookedAt < AGE_MS) return;
    this.#lookedAt = now;
    this.#look().catch(this.#deps.failed);
  }

  async #look(): Promise<void> {
    const machines = (await this.#all("Node")).map((each) => machine.parse(each));
    const tenants = await this.#all("Pod", { fieldSelector: "status.phase!=Succeeded,status.phase!=Failed" });
    this.#rooms = roomsOf(
      machines,
      tenants.map((each) => tenant.parse(each)),
    );
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#deps.seen(waiting);
  }

  async #all(kind: "Node" | "Pod", query: Readonly<Record<string, string>> = {}): Promise<unknown[]> {
    const found: unknown[] = [];
    let next: string | undefined;
    do {
      const page: Readonly<Record<string, string | number | undefined>> = {
        ...query,
        limit: PAGE,
        continue: next,
      };
      const answer = list.parse(
        await this.#deps.client.ask({ method: "GET", path: pathOf(KINDS[kind]), query: page }),
      );
      found.push(...(answer.items ?? []));
      next = answer.metadata.continue || undefined;
    } while (next !== undefined);
    return found;
  }
}
