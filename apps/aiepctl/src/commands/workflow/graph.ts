import { ROUTES, versionDetail, type WorkflowDefinition } from "@aiep/contracts";
import type { CommandContext } from "../../cli/command.ts";
import { EXIT } from "../../cli/errors.ts";
import { withSession } from "../../cli/session.ts";
import { oneLine } from "../../terminal/sanitize.ts";
import { drawGraph } from "../../workflows/draw-graph.ts";
import { experimentIdOf } from "../../workflows/ids.ts";

export async function run(context: CommandContext): Promise<number> {
  return await withSession(context, async (session) => {
    const { data } = await session.api.call(ROUTES.getVersion, versionDetail, {
      params: {
        experiment_id: experimentIdOf(context.args[0]),
        version_name: context.options.text("version") ?? "draft",
      },
      signal: session.signal,
    });
    context.terminal.out(render(data.definition, context.options.text("format") ?? "ascii"));
    return EXIT.ok;
  });
}

function render(definition: WorkflowDefinition, format: string): string {
  const last = definition.finally;
  const nodes = definition.nodes.map((node) => ({ id: node.id, label: labelOf(node) }));
  switch (format) {
    case "dot":
      return dot(nodes, definition.edges);
    case "mermaid":
      return mermaid(nodes, definition.edges);
    default: {
      const main = drawGraph(nodes, definition.edges);
      if (last === undefined) return main;
      const final = last.nodes.map((node) => ({ id: node.id, label: labelOf(node) }));
      return `${main}\nfinally:\n${drawGraph(final, last.edges)}`;
    }
  }
}

function labelOf(node: WorkflowDefinition["nodes"][number]): string {
  const extras = [
    node.trigger_rule === "all_success" ? undefined : node.trigger_rule,
    node.condition === undefined ? undefined : `if ${node.condition}`,
    node.for_each === undefined ? undefined : "for each",
    node.allow_failure ? "may fail" : undefined,
    node.enabled ? undefined : "disabled",
  ].filter((each) => each !== undefined);
  const name = node.name === node.id ? "" : ` ${oneLine(node.name)}`;
  return `${node.id}${name} (${[node.kind, ...extras].map(oneLine).join("; ")})`;
}

type Nodes = readonly { readonly id: string; readonly label: string }[];
type Edges = WorkflowDefinition["edges"];

function dot(nodes: Nodes, edges: Edges): string {
  const lines = [
    ...nodes.map(({ id, label }) => `  ${JSON.stringify(id)} [label=${JSON.stringify(label)}];`),
    ...edges.map(({ source, target }) => `  ${JSON.stringify(source)} -> ${JSON.stringify(target)};`),
  ];
  return `digraph workflow {\n${lines.join("\n")}\n}\n`;
}

/** Ids of mermaid know fewer characters than ours. */
function mermaid(nodes: Nodes, edges: Edges): string {
  const names = new Map(nodes.map(({ id }, index) => [id, `n${index}`]));
  const lines = [
    ...nodes.map(({ id, label }) => `  ${names.get(id)}["${label.replaceAll('"', "&quot;")}"]`),
    ...edges.map(({ source, target }) => `  ${names.get(source)} --> ${names.get(target)}`),
  ];
  return `graph TD\n${lines.join("\n")}\n`;
}
