/**
 * Which node kind a flow's job type is: one line each (flowjson.md 4). What is not here is kept and exported unchanged, and
 * refused when it would run.
 */

import {
  DATACHECKER_LENSES,
  DSS_DATACHECKER_LENSES,
  datacheckerMissing,
  datacheckerNotes,
  dssDatacheckerMissing,
  dssDatacheckerNotes,
} from "./datachecker.ts";
import type { JsonObject } from "./fields.ts";
import { GPU_LENSES, gpuMissing, gpuNotes } from "./gpu.ts";
import type { Lens } from "./lens.ts";
import { PYTHON_LENSES, pythonMissing } from "./python.ts";

export interface Translation {
  readonly kind: string;
  /** Of `jobContent`; what is written for new nodes. */
  readonly mlflowJobType: string | undefined;
  readonly lenses: readonly Lens[];
  /** Where the words are: the node's ManiFest, or the node itself. */
  readonly words: "ManiFest" | "node";
  readonly missing: (words: JsonObject) => readonly string[];
  readonly notes: (words: JsonObject) => readonly string[];
}

const none = () => [];

const gpu: Translation = {
  kind: "general-training",
  mlflowJobType: "DistributedModel",
  lenses: GPU_LENSES,
  words: "ManiFest",
  missing: gpuMissing,
  notes: gpuNotes,
};
const python: Translation = {
  kind: "python",
  mlflowJobType: "Python",
  lenses: PYTHON_LENSES,
  words: "ManiFest",
  missing: pythonMissing,
  notes: none,
};
const datachecker: Translation = {
  kind: "datachecker",
  mlflowJobType: "DataChecker",
  lenses: DATACHECKER_LENSES,
  words: "ManiFest",
  missing: datacheckerMissing,
  notes: datacheckerNotes,
};
const dssDatachecker: Translation = {
  kind: "datachecker",
  mlflowJobType: undefined,
  lenses: DSS_DATACHECKER_LENSES,
  words: "node",
  missing: dssDatacheckerMissing,
  notes: dssDatacheckerNotes,
};
const connector: Translation = {
  kind: "noop",
  mlflowJobType: undefined,
  lenses: [],
  words: "node",
  missing: none,
  notes: none,
};

const TYPES: ReadonlyMap<string, Translation> = new Map([
  ["linkis.appconn.mlflow.gpu", gpu],
  ["linkis.appconn.mlflow.python", python],
  ["linkis.appconn.mlflow.datachecker", datachecker],
  ["linkis.appconn.datachecker", dssDatachecker],
  ["linkis.control.empty", connector],
]);

/** Kinds of ours that no other platform has: `aiep.approval`. */
const OWN = "aiep.";

export function translationOf(jobType: string): Translation | undefined {
  const known = TYPES.get(jobType.toLowerCase());
  if (known !== undefined || !jobType.startsWith(OWN)) return known;
  return { ...connector, kind: jobType.slice(OWN.length) };
}

/** The job type that a kind is exported as. */
export function jobTypeOf(kind: string): string {
  for (const [jobType, translation] of TYPES) if (translation.kind === kind) return jobType;
  return `${OWN}${kind}`;
}
