/** Directories and values that travel between nodes (D21), as a task is asked for them. Pure. */
import { artifactDigest, type TaskIo, type WorkflowNode, type WorkflowNodeId } from "@aiep/contracts";
import type { Evaluated, Scope } from "../domain/engine/model.ts";

type Asked = Pick<WorkflowNode, "input_directories" | "output_directories" | "outputs">;

/** Undefined: nothing is given and nothing is left. A directory that its node did not leave fails the reader. */
export function taskIoOf(node: Asked, scope: Scope): Evaluated<TaskIo | undefined> {
  const { input_directories: inputs, output_directories, outputs } = node;
  if (inputs.length + output_directories.length + outputs.length === 0) return { ok: true, value: undefined };
  const taken = new Set<string>();
  const input_directories: TaskIo["input_directories"] = [];
  for (const { from, path } of inputs) {
    const dot = from.lastIndexOf(".");
    const [id, name] = [from.slice(0, dot), from.slice(dot + 1)];
    // The reference was checked against the graph when the version was saved; one that is not there finds no node.
    const left = scope.node(id as WorkflowNodeId)?.outputs?.[name];
    const digest = artifactDigest.safeParse(
      typeof left === "object" && left !== null && !Array.isArray(left) ? left["digest"] : undefined,
    );
    if (!digest.success) {
      const message = `Node ${id} left no directory ${name}; without it this node cannot start.`;
      return { ok: false, reason: "DirectoryMissing", message };
    }
    const own = taken.has(name) ? `${id}_${name}`.replace(/[^A-Za-z0-9_]/g, "_").slice(0, 64) : name;
    taken.add(own);
    input_directories.push({ name: own, digest: digest.data, path });
  }
  return {
    ok: true,
    value: { input_directories, output_directories, output_values: outputs.length > 0 },
  };
}
