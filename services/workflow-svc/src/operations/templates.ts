/** Templates (D20): a frozen version that others start from; of the group, or for all. */
import {
  AiepError,
  type ListTemplatesQuery,
  type TemplateId,
  templateId,
  type WorkflowDefinition,
} from "@aiep/contracts";
import { type Principal, randomHex, requireMember, seesGroup, visibleGroups } from "@aiep/service-kit";
import { versionNameOf } from "../domain/experiment.ts";
import type { Page, Template } from "../store/experiment-store.ts";
import { findExperimentToChange } from "./access.ts";
import type { OperationDeps } from "./deps.ts";
import { definitionOf, frozenVersion } from "./versions.ts";

export async function createTemplate(
  deps: OperationDeps,
  principal: Principal,
  body: {
    readonly experiment_id: string;
    readonly version_name?: string | undefined;
    readonly name: string;
    readonly description?: string | undefined;
    readonly scope: "group" | "all";
  },
): Promise<Template> {
  const experiment = await findExperimentToChange(deps, principal, body.experiment_id);
  const { latest } = experiment;
  const versionName = body.version_name ?? (latest === null ? undefined : versionNameOf(latest.number));
  if (versionName === undefined)
    throw new AiepError(
      "VERSION_NOT_FOUND",
      "Save the draft as a version first: a template is a frozen one.",
    );
  const version = await frozenVersion(deps, experiment, versionName);
  const template: Template = {
    id: templateId.parse(randomHex(16)),
    scope: body.scope,
    groupId: experiment.groupId,
    name: body.name,
    description: body.description ?? null,
    digest: version.digest,
    nodeCount: version.nodeCount,
    experimentId: experiment.id,
    versionNumber: version.number,
    createdBy: principal.user,
    createdAt: deps.clock(),
  };
  await deps.experiments.insertTemplate(template);
  return template;
}

export async function listTemplates(
  { experiments }: OperationDeps,
  principal: Principal,
  query: ListTemplatesQuery,
): Promise<Page<Template>> {
  return await experiments.templates(query, visibleGroups(principal));
}

export async function getTemplate(
  deps: OperationDeps,
  principal: Principal,
  id: TemplateId,
): Promise<{ readonly template: Template; readonly definition: WorkflowDefinition }> {
  const template = await findTemplate(deps, principal, id);
  return { template, definition: await definitionOf(deps, template.digest) };
}

export async function templateDefinition(deps: OperationDeps, principal: Principal, id: TemplateId) {
  const { template, definition } = await getTemplate(deps, principal, id);
  return { id: template.id, name: template.name, definition };
}

/** By a member of the group it came from. */
export async function deleteTemplate(
  deps: OperationDeps,
  principal: Principal,
  id: TemplateId,
): Promise<void> {
  const template = await findTemplate(deps, principal, id);
  requireMember(principal, template.groupId);
  await deps.experiments.deleteTemplate(id);
}

async function findTemplate(
  { experiments }: OperationDeps,
  principal: Principal,
  id: TemplateId,
): Promise<Template> {
  const template = await experiments.template(id);
  if (template === undefined || (template.scope === "group" && !seesGroup(principal, template.groupId)))
    throw new AiepError("TEMPLATE_NOT_FOUND", `There is no template ${id} for your groups.`);
  return template;
}
