/**
 * A version on its way to another installation (D20): which of its names belong to the installation it left, and what they
 * become. Where such names stand in a manifest, the forms of the node kinds tell. Pure.
 *
 * B1 A name that is not in the mapping stays as it is when it is known there, too. B2 What leads nowhere is listed, with the
 * nodes that use it, and nothing is imported. B3 A text with a `${…}` is resolved when it runs, and is left alone.
 */
import type { BundleReference, WorkflowDefinition, WorkflowNode } from "@aiep/contracts";
import type { Json } from "./values/index.ts";
import { holdsTemplate } from "./values/index.ts";

export type BundleKind = BundleReference["kind"];

/** Dotted path below the manifest, `[]` for every entry of a list. */
export interface NamePlace {
  readonly path: string;
  readonly kind: BundleKind;
}

export interface BundleTarget {
  /** Where the manifests of a kind hold names. */
  readonly places: (kind: string) => readonly NamePlace[];
  readonly mapping: Readonly<Record<BundleKind, Readonly<Record<string, string>>>>;
  /** Undefined: it is known and may be used; else why not. */
  readonly objection: (kind: BundleKind, name: string) => string | undefined;
}

export interface MappedBundle {
  readonly definition: WorkflowDefinition;
  /** What leads nowhere first. */
  readonly references: readonly BundleReference[];
}

export function mapBundle(definition: WorkflowDefinition, target: BundleTarget): MappedBundle {
  const uses = new Map<string, { kind: BundleKind; from: string; nodes: Set<string> }>();
  const rename = (kind: BundleKind, from: string, node: string | undefined): string => {
    if (from === "" || holdsTemplate(from)) return from;
    const name = `${kind} ${from}`;
    const use = uses.get(name) ?? { kind, from, nodes: new Set<string>() };
    if (node !== undefined) use.nodes.add(node);
    uses.set(name, use);
    return target.mapping[kind][from] ?? from;
  };
  const node = (each: WorkflowNode): WorkflowNode => ({
    ...each,
    manifest: renamedManifest(each, target.places(each.kind), rename),
  });
  const proxyUser = definition.options.proxy_user;
  const { finally: last } = definition;
  const mapped: WorkflowDefinition = {
    ...definition,
    options: {
      ...definition.options,
      ...(proxyUser === undefined ? {} : { proxy_user: rename("proxy_user", proxyUser, undefined) }),
    },
    nodes: definition.nodes.map(node),
    ...(last === undefined ? {} : { finally: { ...last, nodes: last.nodes.map(node) } }),
  };
  const references = [...uses.values()].map(({ kind, from, nodes }): BundleReference => {
    const to = target.mapping[kind][from] ?? from;
    const objection = target.objection(kind, to);
    return {
      kind,
      from,
      to: objection === undefined ? to : null,
      nodes: [...nodes],
      detail: objection ?? null,
    };
  });
  return {
    definition: mapped,
    references: references.toSorted((a, b) => Number(a.to !== null) - Number(b.to !== null)),
  };
}

function renamedManifest(
  { id, manifest }: WorkflowNode,
  places: readonly NamePlace[],
  rename: (kind: BundleKind, from: string, node: string) => string,
): WorkflowNode["manifest"] {
  let next: Json = manifest;
  for (const { path, kind } of places)
    next = replacedAt(next, path.replaceAll("[]", ".[]").split("."), (from) => rename(kind, from, id));
  return next as WorkflowNode["manifest"]; // replacing texts keeps an object an object
}

/** Manifests are as deep as their schema; the path is what bounds this. */
function replacedAt(
  value: Json,
  [step, ...rest]: readonly string[],
  replace: (text: string) => string,
): Json {
  if (step === undefined) return typeof value === "string" ? replace(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value))
    return step === "[]" ? value.map((item) => replacedAt(item, rest, replace)) : value;
  const member = value[step];
  return member === undefined ? value : { ...value, [step]: replacedAt(member, rest, replace) };
}
