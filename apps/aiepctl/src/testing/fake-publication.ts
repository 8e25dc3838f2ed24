/** A publication on the fake platform that the test moves from change to change; a long poll waits for the next one. */
import { EventEmitter, once } from "node:events";
import type { ServerResponse } from "node:http";
import type { PublicationDetail, PublicationStepView } from "@aiep/contracts";
import { type FakePlatform, json, problem, type SeenRequest } from "./fake-platform.ts";

export const EXPERIMENT = "ab13".padEnd(32, "0");
export const PUBLICATION = "c0de".padEnd(32, "0");

/** Ids and times as the wire has them, unbranded. */
type Wire = { readonly [Key in keyof PublicationDetail]: unknown } & {
  readonly version: number;
  readonly steps: readonly PublicationStepView[];
};

export class FakePublication {
  detail: Wire = {
    id: PUBLICATION,
    group_id: "g1",
    experiment_id: EXPERIMENT,
    experiment_name: "每日训练",
    scheduler: "wtss",
    state: "Publishing",
    reason: null,
    message: null,
    version_name: "v3",
    live_version_name: null,
    cron: "30 2 * * *",
    time_zone: "Asia/Shanghai",
    parameters: {},
    owner: "alice",
    project: null,
    flow: null,
    url: null,
    next_fire_at: null,
    version: 1,
    generation: 1,
    created_at: "2026-01-31T08:00:00Z",
    updated_at: "2026-01-31T08:00:00Z",
    published_at: null,
    steps: [],
  };
  readonly #changed = new EventEmitter();

  constructor(platform: FakePlatform) {
    platform.intercept = (request, response) => this.#answer(request, response);
  }

  change(to: Partial<Wire>): void {
    this.detail = { ...this.detail, ...to, version: this.detail.version + 1 };
    this.#changed.emit("change");
  }

  step(name: string, state: PublicationStepView["state"], message: string | null, attempts = 1): void {
    const step: PublicationStepView = {
      purpose: "publish",
      name,
      state,
      attempts,
      message,
      started_at: null,
      finished_at: null,
    };
    this.change({ steps: [...this.detail.steps.filter((each) => each.name !== name), step] });
  }

  #answer({ method, url }: SeenRequest, response: ServerResponse): boolean | undefined {
    const path = url.pathname;
    if (path.startsWith("/v1/experiments/")) {
      problem(response, "EXPERIMENT_NOT_FOUND", "There is none.");
      return true;
    }
    if (!path.startsWith("/v1/publications")) return undefined;
    if (path === "/v1/publications" && method === "GET") {
      const mine = url.searchParams.get("experiment_id");
      const items = mine === null || mine === EXPERIMENT ? [this.detail] : [];
      json(response, 200, { items, next_cursor: null });
    } else if (path !== "/v1/publications" && !PUBLICATION.startsWith(path.split("/")[3] ?? "")) {
      problem(response, "PUBLICATION_NOT_FOUND", "There is none.");
    } else void this.#later(Number(url.searchParams.get("after_version") ?? -1), method, response);
    return true;
  }

  async #later(after: number, method: string, response: ServerResponse): Promise<void> {
    while (this.detail.version <= after) await once(this.#changed, "change");
    json(response, method === "GET" ? 200 : 202, this.detail);
  }
}
