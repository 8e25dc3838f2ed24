/** Carrying a frozen version to another installation (D20): one signed document out, checked and mapped on its way in. */
import {
  AiepError,
  type BundleReference,
  type importBundleBody,
  type WorkflowBundle,
  workflowBundle,
} from "@aiep/contracts";
import { groupForNew, type Principal, type Sql } from "@aiep/service-kit";
import type * as z from "zod";
import type { FieldHint } from "../components/form.ts";
import { type BundleKind, type BundleTarget, mapBundle, type NamePlace } from "../domain/bundle.ts";
import { versionNameOf } from "../domain/experiment.ts";
import { canonicalJson } from "../store/definitions.ts";
import type { OperationDeps } from "./deps.ts";
import { type CreateOptions, type ExperimentWhole, keepNew } from "./experiments.ts";
import { acceptDefinition } from "./read-definition.ts";
import { getVersion } from "./versions.ts";

type ImportBody = z.output<typeof importBundleBody>;

export async function exportBundle(
  deps: OperationDeps,
  principal: Principal,
  written: string,
  versionName: string,
): Promise<WorkflowBundle> {
  const { experiment, version, definition } = await getVersion(deps, principal, written, versionName);
  const content = {
    format: "aiep.workflow-bundle/1",
    environment: deps.environment,
    experiment: { id: experiment.id, name: experiment.name, description: experiment.description },
    group: {
      id: experiment.groupId,
      name: deps.directory.current().group(experiment.groupId)?.name ?? experiment.groupId,
    },
    version_name: versionNameOf(version.number),
    version_description: version.description,
    exported_by: principal.user,
    exported_at: deps.clock().toISOString(),
    definition,
  } as const;
  return { ...content, signature: { algorithm: "Ed25519", ...deps.bundleKeys.sign(canonicalJson(content)) } };
}

export interface ImportedBundle {
  /** Null with a dry run. */
  readonly made: ExperimentWhole | null;
  readonly references: readonly BundleReference[];
}

export interface ImportOptions extends Omit<CreateOptions, "also"> {
  readonly also?: (imported: ImportedBundle) => readonly Sql[];
}

export async function importBundle(
  deps: OperationDeps,
  principal: Principal,
  body: ImportBody,
  { also, ...options }: ImportOptions = {},
): Promise<ImportedBundle> {
  const groupId = groupForNew(principal, body.group_id);
  const bundle = verified(deps, body.bundle);
  const owner = { experimentId: undefined, groupId };
  const { definition: sent } = await acceptDefinition(deps, { definition: bundle.definition }, owner);
  const { definition, references } = mapBundle(sent, targetOf(deps, principal, groupId, body.mapping));
  if (options.dryRun === true) return { made: null, references };
  refuseUnmapped(references);
  const accepted = await acceptDefinition(deps, { definition }, owner);
  const made = await keepNew(deps, principal, {
    groupId,
    name: body.name ?? bundle.experiment.name,
    description: bundle.experiment.description,
    copiedFrom: `bundle ${bundle.environment} ${bundle.experiment.id} ${bundle.version_name}`.slice(0, 253),
    definition: accepted.definition,
    problems: accepted.problems,
    options: { ...options, also: (made) => also?.({ made, references }) ?? [] },
  });
  return { made, references };
}

function verified({ bundleKeys }: OperationDeps, document: unknown): WorkflowBundle {
  const parsed = workflowBundle.safeParse(document);
  if (!parsed.success)
    throw new AiepError("BUNDLE_INVALID", "The document is no workflow bundle.", {
      errors: parsed.error.issues.map(({ path, message }) => ({
        pointer: ["/bundle", ...path.map(String)].join("/"),
        code: "SHAPE",
        detail: message,
      })),
    });
  const { signature, ...content } = parsed.data;
  switch (bundleKeys.verify(canonicalJson(content), signature)) {
    case "good":
      return parsed.data;
    case "bad":
      throw new AiepError("BUNDLE_INVALID", "The bundle was changed after it was signed.");
    case "unknown":
      throw new AiepError(
        "BUNDLE_UNTRUSTED",
        `The bundle was signed by ${parsed.data.environment} with the key ${signature.key_id}, which is not trusted here.`,
      );
  }
}

function refuseUnmapped(references: readonly BundleReference[]): void {
  const missing = references.filter(({ to }) => to === null);
  const [first] = missing;
  if (first === undefined) return;
  const more = missing.length === 1 ? "" : ` (and ${missing.length - 1} more)`;
  throw new AiepError("BUNDLE_UNMAPPED", `${first.detail ?? first.from}${more}`, {
    errors: missing.map(({ kind, from, detail }) => ({
      pointer: `/mapping/${MAPPING_KEYS[kind]}/${from.replaceAll("~", "~0").replaceAll("/", "~1")}`,
      code: "UNMAPPED",
      detail: detail ?? from,
    })),
    extensions: { references },
  });
}

const MAPPING_KEYS = {
  namespace: "namespaces",
  storage_root: "storage_roots",
  image: "images",
  proxy_user: "proxy_users",
  code_package: "code_packages",
  experiment: "experiments",
} as const satisfies Record<BundleKind, keyof ImportBody["mapping"]>;

const WIDGETS: Readonly<Partial<Record<FieldHint["widget"], BundleKind>>> = {
  namespace: "namespace",
  "storage-root": "storage_root",
  image: "image",
  "proxy-user": "proxy_user",
  "code-package": "code_package",
  experiment: "experiment",
};

function targetOf(
  deps: OperationDeps,
  principal: Principal,
  groupId: string,
  mapping: ImportBody["mapping"],
): BundleTarget {
  const { document } = deps.directory.current();
  const namespaces = principal.memberships.find(({ group }) => group.id === groupId)?.group.namespaces ?? [];
  const images = document.images.filter(({ group_id: owner }) => owner === null || owner === groupId);
  const known: Readonly<Record<BundleKind, (name: string) => string | undefined>> = {
    namespace: (name) =>
      namespaces.includes(name)
        ? undefined
        : `The group has no namespace ${name}; it has ${listed(namespaces)}.`,
    storage_root: (name) =>
      document.storage_roots.some(({ path }) => path === name)
        ? undefined
        : `There is no storage root ${name} here.`,
    image: (name) =>
      images.some((image) => image.name === name || image.url === name)
        ? undefined
        : `No image ${name} is registered for the group; there are ${listed(images.map((image) => image.name))}.`,
    proxy_user: (name) =>
      principal.proxyUsers.includes(name) ? undefined : `${name} is not one of your proxy users.`,
    code_package: (name) =>
      Object.values(mapping.code_packages).includes(name)
        ? undefined
        : `Code packages do not travel: upload ${name} here and name its new id.`,
    experiment: (name) =>
      Object.values(mapping.experiments).includes(name)
        ? undefined
        : `The sub-workflow ${name} does not travel: import it first and name its new id.`,
  };
  return {
    places: (kind) => placesOf(deps, kind),
    mapping: {
      namespace: mapping.namespaces,
      storage_root: mapping.storage_roots,
      image: mapping.images,
      proxy_user: mapping.proxy_users,
      code_package: mapping.code_packages,
      experiment: mapping.experiments,
    },
    objection: (kind, name) => known[kind](name),
  };
}

function placesOf({ registry }: OperationDeps, kind: string): readonly NamePlace[] {
  const fields = registry.get(kind)?.form.fields ?? [];
  return fields.flatMap(({ path, widget }): NamePlace[] => {
    const name = path === "image_info.url" ? "image" : WIDGETS[widget];
    return name === undefined ? [] : [{ path, kind: name }];
  });
}

const listed = (names: readonly string[]) => (names.length === 0 ? "none" : names.slice(0, 10).join(", "));
