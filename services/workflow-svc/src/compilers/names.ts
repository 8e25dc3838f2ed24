/**
 * Names that both targets accept, made from node ids in any script of ours: `[a-z][a-z0-9-]*`, at most 60 characters,
 * unique, the same for the same workflow (kfp-pipelinespec section 8, argo-workflow section 3).
 *
 * N1 never begins with a digit; N2 never ends in a suffix that KFP appends to a task's key (`a` beside `a-driver` is refused).
 */
const MAX = 60;
const RESERVED_ENDING = /-(driver|dag|iteration|onexit)$/;

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, MAX - 8)
    .replace(/-+$/, "");
}

/** One safe name per id, in the order given; `n-` in front keeps N1, a number behind keeps them apart. */
export function safeNames<Id extends string>(ids: readonly Id[], prefix = "n"): ReadonlyMap<Id, string> {
  const taken = new Set<string>();
  const names = new Map<Id, string>();
  for (const id of ids) {
    const base = `${prefix}-${slug(id) || "node"}`;
    let name = RESERVED_ENDING.test(base) ? `${base}-x` : base;
    for (let number = 2; taken.has(name); number += 1) name = `${base}-${number}`;
    taken.add(name);
    names.set(id, name);
  }
  return names;
}

/** Name of the whole pipeline: also a prefix of Kubernetes names, so it stays short. */
export function pipelineName(experimentName: string, experimentId: string, versionName: string): string {
  const readable = slug(experimentName).slice(0, 30).replace(/-+$/, "");
  return `${readable === "" ? "workflow" : /^\d/.test(readable) ? `w-${readable}` : readable}-${experimentId.slice(0, 6)}-${slug(versionName)}`;
}

/** `nodes.prep.outputs.rows` as the name of an input: `prep` is the node's safe name. */
export function outputInput(nodeName: string, output: string): string {
  return `${nodeName.replaceAll("-", "_")}__${output}`;
}
