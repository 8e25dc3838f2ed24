import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import {
  bundleImportView,
  type CreateExperimentBody,
  draftView,
  type ExperimentDetail,
  experimentDetail,
  ROUTES,
  validationView,
} from "@aiep/contracts";
import type * as z from "zod";
import type { CommandContext, CommandModule } from "../../cli/command.ts";
import { CliError, EXIT, usageError } from "../../cli/errors.ts";
import { type Session, withSession } from "../../cli/session.ts";
import { shortId } from "../../tasks/task-ids.ts";
import { formatOf, isMachine, show, table } from "../../terminal/output.ts";
import { oneLine } from "../../terminal/sanitize.ts";
import { type DefinitionFile, readDefinitionFile, sourceOf } from "../../workflows/definition-file.ts";
import { experimentIdOf } from "../../workflows/ids.ts";
import { experimentTable } from "../../workflows/tables.ts";

export const create: CommandModule = {
  run: async (context) => {
    const { options } = context;
    const name = options.text("file");
    const file = name === undefined ? undefined : await readDefinitionFile(context, name);
    if (file?.kind === "zip" || file?.kind === "bundle")
      throw usageError(`a ${file.kind} is imported`, `aiepctl workflow import ${name}`);
    return await withSession(context, async (session) => {
      const detail = await createFrom(session, {
        ...(file === undefined ? {} : sourceOf(file)),
        template_id: options.text("template"),
        name: options.text("name"),
        description: options.text("description"),
      });
      await showCreated(context, detail);
      return EXIT.ok;
    });
  },
};

export const importFile: CommandModule = {
  run: async (context) => {
    const file = await readDefinitionFile(context, context.args[0]);
    return await withSession(context, async (session) => {
      if (file.kind === "bundle") return await importBundle(session, file);
      const name = context.options.text("name") ?? nameOfFile(context.args[0]);
      const detail =
        file.kind === "zip"
          ? await importZip(session, file.bytes, context.options.text("name"))
          : await createFrom(session, { ...sourceOf(file), name });
      await showCreated(context, detail);
      return EXIT.ok;
    });
  },
};

/** `examples/two-gpu.flowjson` → `two-gpu`. */
function nameOfFile(file: string | undefined): string | undefined {
  if (file === undefined || file === "-") return undefined;
  const name = /([^/]+?)(\.(flow)?json|\.ya?ml)?$/.exec(file)?.[1];
  return name === undefined || name === "" ? undefined : name;
}

type CreateFields = { readonly [Key in keyof CreateExperimentBody]?: unknown };
type Created = { readonly raw: unknown; readonly data: ExperimentDetail };

async function createFrom(session: Session, body: CreateFields): Promise<Created> {
  return await session.api.call(ROUTES.createExperiment, experimentDetail, {
    query: { dry_run: session.context.options.flag("dry-run") ? true : undefined },
    body: { group_id: session.settings.groupId, ...body },
    idempotencyKey: randomUUID(),
    signal: session.signal,
  });
}

async function importZip(session: Session, bytes: Uint8Array, name: string | undefined): Promise<Created> {
  return await session.api.call(ROUTES.importExperiment, experimentDetail, {
    query: {
      group_id: session.settings.groupId,
      name,
      dry_run: session.context.options.flag("dry-run") ? true : undefined,
    },
    upload: {
      kind: "stream",
      open: () => Readable.from([bytes]),
      bytes: bytes.length,
      contentType: "application/zip",
    },
    signal: session.signal,
  });
}

async function showCreated(context: CommandContext, { raw, data }: Created): Promise<void> {
  const { terminal, options } = context;
  for (const { node, detail } of data.problems)
    terminal.err(`Note: ${node === null ? "" : `${node}: `}${oneLine(detail)}\n`);
  if (options.flag("dry-run")) terminal.say("Everything is in order; nothing was created (dry run).");
  await show(context, { raw, names: [data.id], human: (wide) => experimentTable(context, [data], wide) });
  if (!options.flag("dry-run") && !isMachine(formatOf(context)))
    terminal.say(`Run it: aiepctl workflow run ${shortId(data.id)} --wait`);
}

const MAPPED = {
  namespace: "namespaces",
  storage_root: "storage_roots",
  image: "images",
  proxy_user: "proxy_users",
  code_package: "code_packages",
  experiment: "experiments",
} as const;

function mappingOf(texts: readonly string[]): Record<string, Record<string, string>> {
  const mapping: Record<string, Record<string, string>> = {};
  for (const text of texts) {
    const [, kind = "", from = "", to = ""] = /^([a-z_]+):([^=]+)=(.+)$/.exec(text) ?? [];
    const key = Object.entries(MAPPED).find(([name]) => name === kind)?.[1];
    if (key === undefined)
      throw usageError(`--map is KIND:OLD=NEW with one of ${Object.keys(MAPPED).join(", ")}, not "${text}"`);
    mapping[key] = { ...mapping[key], [from]: to };
  }
  return mapping;
}

async function importBundle(
  session: Session,
  file: Extract<DefinitionFile, { kind: "bundle" }>,
): Promise<number> {
  const { context } = session;
  const { options, terminal } = context;
  const dryRun = options.flag("dry-run");
  const { raw, data } = await session.api.call(ROUTES.importBundle, bundleImportView, {
    query: { dry_run: dryRun ? true : undefined },
    body: {
      bundle: file.document,
      group_id: session.settings.groupId,
      name: options.text("name"),
      mapping: mappingOf(options.list("map")),
    },
    idempotencyKey: randomUUID(),
    signal: session.signal,
  });
  const { experiment, references } = data;
  await show(context, {
    raw,
    names: experiment === null ? [] : [experiment.id],
    human: (wide) =>
      experiment === null
        ? referenceTable(context, references)
        : experimentTable(context, [experiment], wide),
  });
  if (dryRun && references.some(({ to }) => to === null))
    terminal.say("What leads nowhere comes first: say with --map what it is called here.");
  return EXIT.ok;
}

function referenceTable(
  context: CommandContext,
  references: z.infer<typeof bundleImportView>["references"],
): string {
  return table(
    context,
    ["KIND", "THERE", "HERE", "NODES", "WHY"],
    references.map(({ kind, from, to, nodes, detail }) => [
      kind,
      from,
      to ?? "?",
      nodes.join(", "),
      detail ?? "",
    ]),
  );
}

export const update: CommandModule = {
  run: async (context) => {
    const id = experimentIdOf(context.args[0]);
    const { options, terminal } = context;
    const file = await readDefinitionFile(context, options.text("file"));
    if (file.kind === "zip" || file.kind === "bundle")
      throw usageError(`a ${file.kind} cannot replace a draft`, "aiepctl workflow import");
    return await withSession(context, async (session) => {
      const params = { experiment_id: id };
      const wanted = options.text("if-version");
      const version =
        wanted ??
        String(
          (await session.api.call(ROUTES.getDraft, draftView, { params, signal: session.signal })).data
            .version,
        );
      const { raw, data } = await session.api.call(ROUTES.putDraft, draftView, {
        params,
        body: sourceOf(file),
        ifMatch: `"v${version}"`,
        signal: session.signal,
      });
      for (const { node, detail } of data.problems)
        terminal.err(`Note: ${node === null ? "" : `${node}: `}${oneLine(detail)}\n`);
      await show(context, {
        raw,
        names: [data.experiment_id],
        human: () => `The draft is at version ${data.version}, ${data.definition.nodes.length} nodes.\n`,
      });
      return EXIT.ok;
    });
  },
};

export const validate: CommandModule = {
  run: async (context) => {
    const file = await readDefinitionFile(context, context.args[0]);
    if (file.kind === "zip" || file.kind === "bundle")
      throw usageError(
        `a ${file.kind} is checked by`,
        `aiepctl workflow import ${context.args[0]} --dry-run`,
      );
    return await withSession(context, async (session) => {
      const { raw, data } = await session.api.call(ROUTES.validateDefinition, validationView, {
        body: { group_id: session.settings.groupId, ...sourceOf(file) },
        signal: session.signal,
      });
      const lines = data.problems.map(
        ({ severity, node, field, pointer, detail }) =>
          `${severity === "error" ? "" : "note: "}${node === null ? pointer || "/" : `node ${node}${field === null ? "" : `, ${field}`}`}: ${oneLine(detail)}`,
      );
      if (!data.valid)
        throw new CliError(`${context.args[0]} is no valid workflow`, {
          code: "WORKFLOW_INVALID",
          exitCode: EXIT.usage,
          details: lines,
          problem: raw,
        });
      for (const line of lines) context.terminal.err(`${line}\n`);
      await show(context, {
        raw,
        names: [],
        human: () => `${data.definition?.nodes.length ?? 0} nodes; everything is in order.\n`,
      });
      return EXIT.ok;
    });
  },
};

export const copy: CommandModule = {
  run: async (context) =>
    await withSession(context, async (session) => {
      const { options } = context;
      const created = await session.api.call(ROUTES.copyExperiment, experimentDetail, {
        params: { experiment_id: experimentIdOf(context.args[0]) },
        body: { version_name: options.text("version"), name: options.text("name") },
        idempotencyKey: randomUUID(),
        signal: session.signal,
      });
      await showCreated(context, created);
      return EXIT.ok;
    }),
};
