/** What the use cases of this service work with. */
import type { DirectorySource } from "@aiep/service-kit";
import type { Experiments } from "../store/experiments.ts";
import type { FireStore } from "../store/fire-store.ts";

export interface OperationDeps {
  readonly experiments: Experiments;
  readonly fires: FireStore;
  readonly directory: DirectorySource;
  readonly clock: () => Date;
  /** IANA zone of schedules that name none. */
  readonly timeZone: string;
  /** `{base}` of the documents' deep link. */
  readonly consoleUrl: string;
  /** Where schedulers' machines reach the webhooks. */
  readonly triggerUrl: string;
}
