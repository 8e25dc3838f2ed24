/** What the use cases of experiments and runs need; HTTP and commands share them (D8). */
import type { RunId } from "@aiep/contracts";
import type { Changes, DirectoryIndex } from "@aiep/service-kit";
import type { ComponentRegistry } from "../components/registry.ts";
import type { RunControl } from "../control/run-control.ts";
import type { ExperimentStore } from "../store/experiment-store.ts";
import type { RunRemoval } from "../store/run-removal.ts";
import type { RunStore } from "../store/run-store.ts";
import type { BundleKeys } from "./bundle-keys.ts";

export interface OperationDeps {
  readonly experiments: ExperimentStore;
  readonly runs: RunStore;
  readonly removal: Pick<RunRemoval, "mark">;
  readonly control: RunControl;
  readonly registry: ComponentRegistry;
  readonly directory: { current(): DirectoryIndex };
  /** Of runs, as they are committed. */
  readonly changes: Changes<RunId>;
  readonly clock: () => Date;
  /** Where a workflow reckons that names no zone. */
  readonly timeZone: string;
  /** Slots of a pool; undefined for one that does not exist. */
  readonly pools: (name: string) => number | undefined;
  /** Name of this installation, in bundles. */
  readonly environment: string;
  readonly bundleKeys: BundleKeys;
  /** The image that compiled steps run. */
  readonly runnerImage: string;
}
