/** REST paths of a kind's objects. */
export interface ResourceKind {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export function pathOf(kind: ResourceKind, at: { namespace?: string; name?: string } = {}): string {
  const base = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const namespace = at.namespace === undefined ? "" : `/namespaces/${encodeURIComponent(at.namespace)}`;
  const name = at.name === undefined ? "" : `/${encodeURIComponent(at.name)}`;
  return `${base}${namespace}/${kind.plural}${name}`;
}
