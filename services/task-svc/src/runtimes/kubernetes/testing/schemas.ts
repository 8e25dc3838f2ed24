/** The published CRD schemas as validators, as strict as an API server asked for `fieldValidation=Strict`. */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { parse } from "yaml";
import * as z from "zod";

const crd = z.object({
  spec: z.object({
    versions: z.array(
      z.object({
        name: z.string(),
        schema: z.object({ openAPIV3Schema: z.record(z.string(), z.unknown()) }),
      }),
    ),
  }),
});

const FILES = {
  PyTorchJob: "kubeflow.org_pytorchjobs.yaml",
  TFJob: "kubeflow.org_tfjobs.yaml",
  "volcano PodGroup": "scheduling.volcano.sh_podgroups.yaml",
  "scheduler-plugins PodGroup": "scheduling.x-k8s.io_podgroups.yaml",
} as const;
export type Schema = keyof typeof FILES | "pod template";

const compiled = new Map<Schema, ReturnType<Ajv["compile"]>>();

/** What the schema finds wrong; empty when the object is good. */
export function problemsOf(schema: Schema, object: unknown): string[] {
  const validate = compiled.get(schema) ?? compile(schema);
  compiled.set(schema, validate);
  void validate(object); // none of these schemas is asynchronous
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

function compile(schema: Schema): ReturnType<Ajv["compile"]> {
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  if (schema !== "pod template") return ajv.compile(closed(load(schema), true));
  // batch/v1 has no CRD; its template is the one the operator's CRD embeds.
  const path = ["properties", "spec", "properties", "pytorchReplicaSpecs", "additionalProperties"];
  let at: unknown = load("PyTorchJob");
  for (const key of [...path, "properties", "template"])
    at = z.record(z.string(), z.unknown()).parse(at)[key];
  return ajv.compile(closed(z.record(z.string(), z.unknown()).parse(at), false));
}

function load(schema: keyof typeof FILES): Record<string, unknown> {
  const text = readFileSync(new URL(`./crds/${FILES[schema]}`, import.meta.url), "utf8");
  const [version] = crd.parse(parse(text)).spec.versions;
  if (version === undefined) throw new TypeError(`${schema} has no version`);
  return version.schema.openAPIV3Schema;
}

/** Keys that the schema does not know are errors; `metadata` is the API server's own. */
function closed(schema: Record<string, unknown>, root: boolean): Record<string, unknown> {
  const walk = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((each) => walk(each, ""));
    if (typeof value !== "object" || value === null) return value;
    const out: Record<string, unknown> = {};
    for (const [name, each] of Object.entries(value)) out[name] = walk(each, name);
    const open = key === "metadata" || out["x-kubernetes-preserve-unknown-fields"] === true;
    if (key !== "properties" && "properties" in out && !("additionalProperties" in out) && !open)
      out["additionalProperties"] = false;
    return out;
  };
  return z.record(z.string(), z.unknown()).parse(walk(schema, root ? "" : "template"));
}
