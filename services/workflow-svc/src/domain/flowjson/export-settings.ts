/** The flow's own words for what a definition says as a whole: variables and the proxy user; the rest goes to `aiep`. */
import { type Json, sameJson } from "../values/index.ts";
import { at, isObject, type JsonObject, put } from "./fields.ts";

/** A definition without nodes, edges and what was kept. */
export type Settings = JsonObject;

const PROXY_USER = "user.to.proxy";
const FLOW_TYPES: readonly Json[] = ["string", "number", "model", "processline"];

/** Changes `flow` in place; untouched settings leave it as it is. `read` tells what a flow says when it is read again. */
export function exportSettings(
  settings: Settings,
  flow: JsonObject,
  read: (flow: JsonObject) => Settings | undefined,
): JsonObject {
  const says = () => {
    const again = read(flow);
    return again !== undefined && sameJson(again, settings);
  };
  if (says()) return flow;
  put(flow, ["aiep"], undefined);
  writeVariables(settings["parameters"], flow);
  writeProxyUser(at(settings["options"], ["proxy_user"]), flow);
  if (!says()) flow["aiep"] = { ...settings, schema_version: 1 };
  return flow;
}

const list = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);

/** Changed values where they are, new variables at the end, those that are gone taken out. */
function writeVariables(parameters: Json | undefined, flow: JsonObject): void {
  const wanted = new Map(
    list(parameters)
      .filter(isObject)
      .map((parameter) => [parameter["name"], parameter]),
  );
  const props = list(flow["props"]).flatMap((entry): Json[] => {
    if (!isObject(entry)) return [entry];
    const kept = Object.entries(entry).flatMap(([name, value]): [string, Json][] => {
      const parameter = wanted.get(name);
      if (name === PROXY_USER) return [[name, value]];
      if (parameter === undefined) return [];
      wanted.delete(name);
      return [[name, parameter["default"] ?? value]];
    });
    return kept.length === 0 ? [] : [Object.fromEntries(kept)];
  });
  const variables = list(flow["global_variables"]).flatMap((variable): Json[] => {
    const name = at(variable, ["key"]);
    const parameter = wanted.get(name);
    if (!isObject(variable) || parameter === undefined) return [];
    wanted.delete(name);
    return [asVariable(parameter, variable)];
  });
  const added = [...wanted.values()]
    .filter(({ type }) => type !== undefined && FLOW_TYPES.includes(type))
    .map((parameter) => asVariable(parameter, {}));
  if (Object.hasOwn(flow, "props") || props.length > 0) flow["props"] = props;
  if (Object.hasOwn(flow, "global_variables") || added.length > 0)
    flow["global_variables"] = [...variables, ...added];
}

function asVariable({ name, type, default: value }: JsonObject, variable: JsonObject): JsonObject {
  return { ...variable, key: name ?? "", type: type ?? "string", ...(value === undefined ? {} : { value }) };
}

function writeProxyUser(user: Json | undefined, flow: JsonObject): void {
  const props = list(flow["props"]);
  const holder = props.find((entry) => isObject(entry) && Object.hasOwn(entry, PROXY_USER));
  if (isObject(holder)) put(holder, [PROXY_USER], user);
  else if (user !== undefined) flow["props"] = [{ [PROXY_USER]: user }, ...props];
  if (user === undefined) put(flow, ["scheduleParams", "proxyuser"], undefined);
}
