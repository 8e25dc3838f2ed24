/** Files that hold a workflow: native YAML or JSON, flowjson, its zip, a bundle. Which it is, its content says. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { CommandContext } from "../cli/command.ts";
import { usageError } from "../cli/errors.ts";

export type DefinitionFile =
  | { readonly kind: "flowjson"; readonly text: string }
  | { readonly kind: "native"; readonly document: Readonly<Record<string, unknown>> }
  | { readonly kind: "yaml"; readonly text: string }
  | { readonly kind: "zip"; readonly bytes: Uint8Array }
  | { readonly kind: "bundle"; readonly document: Readonly<Record<string, unknown>> };

export async function readDefinitionFile(
  { shell }: CommandContext,
  name: string | undefined,
): Promise<DefinitionFile> {
  if (name === undefined) throw usageError("the file is missing");
  const bytes = await contentOf(shell, name);
  if (bytes.subarray(0, 4).equals(Buffer.from("PK\x03\x04"))) return { kind: "zip", bytes };
  const text = bytes.toString("utf8");
  const json = jsonObjectIn(text);
  if (json === undefined) return { kind: "yaml", text };
  if (typeof json["format"] === "string" && json["format"].startsWith("aiep.workflow-bundle/"))
    return { kind: "bundle", document: json };
  // The text, not the value: numbers keep how they are written.
  return isFlowJson(json) ? { kind: "flowjson", text } : { kind: "native", document: json };
}

/** Of a file, or of stdin when it is named `-`. */
export async function fileText({ shell }: CommandContext, name: string): Promise<string> {
  return (await contentOf(shell, name)).toString("utf8");
}

async function contentOf({ stdin, cwd }: CommandContext["shell"], name: string): Promise<Buffer> {
  return name === "-" ? await collected(stdin) : await fileBytes(resolve(cwd, name), name);
}

/** As the body of a request that takes a definition; a zip or a bundle goes another way. */
export function sourceOf(file: Exclude<DefinitionFile, { kind: "zip" | "bundle" }>) {
  switch (file.kind) {
    case "flowjson":
      return { flowjson: file.text };
    case "native":
      return { definition: file.document };
    case "yaml":
      return { yaml: file.text };
  }
}

/** A flow's nodes are named by `key` and typed by `jobType`; ours by `id` and `kind`. */
function isFlowJson({ nodes }: Readonly<Record<string, unknown>>): boolean {
  if (!Array.isArray(nodes)) return true;
  const first: unknown = nodes[0];
  return typeof first === "object" && first !== null && !("kind" in first && "id" in first);
}

function jsonObjectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

async function collected(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function fileBytes(path: string, name: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw usageError(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
