/** Publications put together (D25, D26): their store, the schedulers they may go to, the publisher, and the commands that order them. */
import { CONSUMERS, type PublicationId, SCHEDULE_COMMANDS } from "@aiep/contracts";
import {
  type Bus,
  type CommitQueue,
  type Consumer,
  changesOnBus,
  createCommandConsumer,
  type Failpoints,
  type Logger,
  type SqlPool,
  type Telemetry,
  type UnsafeSwitches,
} from "@aiep/service-kit";
import { createPublisher, type Publisher } from "./control/publisher.ts";
import { createCommandHandler } from "./messaging/command-handler.ts";
import type { OperationDeps } from "./operations/deps.ts";
import type { PublicationDeps } from "./operations/publications.ts";
import type { Schedulers } from "./schedulers/registry.ts";
import { PublicationStore } from "./store/publication-store.ts";

export interface PublishingDeps {
  readonly pool: SqlPool;
  readonly bus: Bus;
  readonly commits: CommitQueue;
  readonly address: { readonly env: string; readonly source: string };
  readonly operations: OperationDeps;
  readonly schedulers: Schedulers;
  /** Between two looks at what is due, should a wake have been another replica's. */
  readonly lookAgainMs: number;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly failpoints: Failpoints;
  readonly unsafe: UnsafeSwitches;
}

export interface Publishing extends Disposable {
  readonly operations: PublicationDeps;
  readonly publisher: Publisher;
  readonly consumer: Consumer;
}

export function openPublishing(deps: PublishingDeps): Publishing {
  const { pool, bus, commits, address, schedulers, log, telemetry, failpoints, unsafe } = deps;
  const publications = new PublicationStore({ pool, commits, address });
  const publisher = createPublisher({
    publications,
    scheduler: (kind) => schedulers.get(kind),
    clock: deps.operations.clock,
    failpoints,
    log,
    lookAgainMs: deps.lookAgainMs,
  });
  const publicationChanges = changesOnBus<PublicationId>(bus, { env: address.env, context: "schedule" });
  const operations = { ...deps.operations, publications, schedulers, publisher, publicationChanges };
  const consumer = createCommandConsumer({
    bus,
    consumer: CONSUMERS.scheduleCommands,
    pool,
    env: address.env,
    definitions: SCHEDULE_COMMANDS,
    handler: createCommandHandler({ operations, commits, address }),
    log,
    telemetry,
    failpoints,
    unsafe,
  });
  return {
    operations,
    publisher,
    consumer,
    [Symbol.dispose]: () => publicationChanges[Symbol.dispose](),
  };
}
