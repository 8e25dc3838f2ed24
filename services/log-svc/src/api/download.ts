/** `GET …/logs/download`: the log as text, made while it is read; a slow reader slows the reading. */
import type { LogItem, NodeName } from "@aiep/contracts";
import type { TaskFacts } from "../domain/task-facts.ts";
import { type LogFilter, LogReader } from "../reading/log-reader.ts";
import type { ReadingDeps } from "../reading/source-lane.ts";
import { requireKnownNodes } from "./query.ts";

export async function openDownload(
  deps: ReadingDeps,
  task: TaskFacts,
  filter: LogFilter,
  style: { readonly timestamps: boolean },
): Promise<AsyncGenerator<string, void, undefined>> {
  const reader = new LogReader(deps, task.taskId, filter, new Map());
  const sources = await reader.refresh();
  requireKnownNodes(task, filter, sources);
  const nodes = new Set([...sources.map((source) => source.node), ...(filter.nodes ?? task.nodes.keys())]);
  const writer = new TextWriter({ ...style, nodeNames: nodes.size > 1 });
  return (async function* () {
    for await (const block of reader.entries()) {
      let text = "";
      for (const entry of block) if (reader.take(entry)) text += writer.write(entry.item);
      if (text !== "") yield text;
    }
    yield writer.end();
  })();
}

/** Puts the pieces of a long line together again, unless another line comes between them. */
class TextWriter {
  readonly #style: { readonly timestamps: boolean; readonly nodeNames: boolean };
  #openLine: { readonly node: NodeName; readonly stream: string } | undefined;

  constructor(style: { readonly timestamps: boolean; readonly nodeNames: boolean }) {
    this.#style = style;
  }

  write(item: LogItem): string {
    const node = this.#style.nodeNames ? `[${item.node}] ` : "";
    if (item.kind === "gap")
      return `${this.end()}${node}… ${item.missing_bytes} bytes not available (${item.reason}) …\n`;
    const open = this.#openLine;
    const goesOn = open !== undefined && open.node === item.node && open.stream === item.stream;
    const begin = goesOn ? "" : `${this.end()}${node}${this.#style.timestamps ? `${item.time} ` : ""}`;
    this.#openLine = item.partial ? { node: item.node, stream: item.stream } : undefined;
    return `${begin}${item.text}${item.partial ? "" : "\n"}`;
  }

  end(): string {
    const open = this.#openLine !== undefined;
    this.#openLine = undefined;
    return open ? "\n" : "";
  }
}
