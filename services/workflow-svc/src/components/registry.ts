/**
 * Every node kind, one line each (D23). The registry is made once from what the kinds need; the catalogue is what the domain
 * asks of it.
 */
import type { CatalogEntry, ComponentCatalog } from "../domain/definition/index.ts";
import { approval } from "./approval/component.ts";
import type { NodeComponent } from "./component.ts";
import { createDataChecker } from "./datachecker/component.ts";
import type { DataCheckerDeps } from "./datachecker/settings.ts";
import { generalTraining } from "./general-training/component.ts";
import { createHttp } from "./http/component.ts";
import type { HttpNodeSettings } from "./http/settings.ts";
import { noop } from "./noop/component.ts";
import { createPython, type PythonDeps } from "./python/component.ts";
import { subWorkflow } from "./sub-workflow/component.ts";
import { wait } from "./wait/component.ts";

export interface ComponentRegistry {
  /** In the order people see them. */
  readonly components: readonly NodeComponent[];
  readonly catalog: ComponentCatalog;
  get(kind: string): NodeComponent | undefined;
}

export interface ComponentDeps {
  readonly python: PythonDeps;
  readonly http: HttpNodeSettings;
  readonly dataChecker: DataCheckerDeps;
}

export function createRegistry(deps: ComponentDeps): ComponentRegistry {
  return registryOf([
    generalTraining,
    createPython(deps.python),
    createDataChecker(deps.dataChecker),
    createHttp(deps.http),
    subWorkflow,
    approval,
    wait,
    noop,
  ]);
}

export function registryOf(components: readonly NodeComponent[]): ComponentRegistry {
  const byKind = new Map(components.map((component) => [component.kind, component]));
  const entries = new Map(components.map((component) => [component.kind, catalogEntry(component)]));
  return {
    components,
    get: (kind) => byKind.get(kind),
    catalog: { kinds: () => [...byKind.keys()], get: (kind) => entries.get(kind) },
  };
}

function catalogEntry(component: NodeComponent): CatalogEntry {
  const { kind, manifest, scriptFields, outputs } = component;
  return {
    kind,
    manifest,
    scriptFields,
    ...(outputs === undefined ? {} : { outputs }),
    directories: component.execution === "task",
    check: (node) => component.checkRules(node.manifest),
    ...(component.execution === "child-run"
      ? { subWorkflow: (node) => component.childOf(node.manifest) }
      : {}),
  };
}
