/** What a flow says as a whole: global variables, properties, the proxy user. Nodes and edges are read beside it. */
import { workflowParameter } from "@aiep/contracts";
import { checkParameter, holdsUnresolved, isTimeVariable, type Json } from "../values/index.ts";
import { at, isObject, type JsonObject, textOf } from "./fields.ts";
import { ownWords } from "./import-node.ts";
import { plainOf } from "./json-text.ts";

export interface ImportedFlow {
  /** For `parseDefinition`, without nodes and edges. */
  readonly settings: JsonObject;
  readonly notes: readonly string[];
}

const PROXY_USER = "user.to.proxy";
const TYPES = ["string", "number", "model", "processline"] as const;

export function importFlow(original: JsonObject): ImportedFlow {
  const plain = plainOf(original);
  const flow = isObject(plain) ? plain : {};
  const notes: string[] = [];
  const parameters = [...typedVariables(flow, notes), ...properties(flow, notes)];
  const seen = new Set<Json>();
  const once = parameters.filter(({ name }) => name !== undefined && !seen.has(name) && seen.add(name));
  const user = proxyUser(flow);
  const settings: JsonObject = {
    parameters: once,
    ...(user === undefined ? {} : { options: { proxy_user: user } }),
  };
  return { settings: { ...settings, ...ownWords(flow) }, notes };
}

/** MLSS v2: `global_variables: [{key, type, value}]`. */
function typedVariables(flow: JsonObject, notes: string[]): JsonObject[] {
  const variables = flow["global_variables"];
  return (Array.isArray(variables) ? variables : []).flatMap((variable) => {
    if (!isObject(variable)) return [];
    const name = textOf(variable["key"]);
    const type = TYPES.find((known) => known === textOf(variable["type"])?.toLowerCase()) ?? "string";
    return name === undefined ? [] : parameter(name, type, variable["value"], notes);
  });
}

/** DSS: `props: [{"user.to.proxy": "alice"}, {"lr": "0.001"}]`. */
function properties(flow: JsonObject, notes: string[]): JsonObject[] {
  const props = flow["props"];
  return (Array.isArray(props) ? props : [])
    .filter(isObject)
    .flatMap((entry) => Object.entries(entry))
    .filter(([name]) => name !== PROXY_USER)
    .flatMap(([name, value]) => parameter(name, "string", value, notes));
}

function parameter(
  name: string,
  type: (typeof TYPES)[number],
  value: Json | undefined,
  notes: string[],
): JsonObject[] {
  if (!workflowParameter.shape.name.safeParse(name).success) {
    notes.push(
      `The variable "${name.slice(0, 64)}" is kept but cannot be used: a name has letters, digits and '_'.`,
    );
    return [];
  }
  if (isTimeVariable(name)) {
    notes.push(`The variable ${name} is every run's own; give the date when a run is started.`);
    return [];
  }
  const given = type === "string" && typeof value === "number" ? String(value) : value;
  if (given === undefined || given === null || given === "")
    return [{ name, type, ...(type === "string" ? { default: "" } : {}) }];
  const checked = checkParameter({ name, type }, given);
  if (checked.ok) return [{ name, type, default: checked.value }];
  notes.push(
    holdsUnresolved(given)
      ? `The value of ${name} holds "\${" and is not taken as its default.`
      : `The value of ${name} is not taken as its default: ${checked.problems[0]?.detail ?? ""}`,
  );
  return [{ name, type }];
}

function proxyUser(flow: JsonObject): string | undefined {
  const props = flow["props"];
  for (const entry of Array.isArray(props) ? props : []) {
    const user = textOf(at(entry, [PROXY_USER]));
    if (user !== undefined) return user;
  }
  return textOf(at(flow, ["scheduleParams", "proxyuser"]));
}

/** The experiment's name, where the editor wrote it into a node. */
export function flowName(nodes: readonly JsonObject[]): string | undefined {
  for (const node of nodes) {
    for (const key of ["ManiFest", "Manifest", "manifest"]) {
      const words = at(node, ["jobContent", key]);
      const name = textOf(at(words, ["exp_name"])) ?? textOf(at(words, ["meta_data", "exp_name"]));
      if (name !== undefined) return name;
    }
  }
  return undefined;
}
