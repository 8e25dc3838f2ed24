/** Routes of templates and of node kinds. */
import { AiepError, ROUTES } from "@aiep/contracts";
import { registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import { createTemplate, deleteTemplate, getTemplate, listTemplates } from "../operations/templates.ts";
import type { RouteDeps } from "./context.ts";
import { componentView, templateView } from "./views.ts";

export function registerTemplateRoutes(app: FastifyInstance, deps: RouteDeps): void {
  registerRoute(app, ROUTES.createTemplate, async ({ principal, body }) => {
    const template = await createTemplate(deps, principal, body);
    return {
      body: templateView(template),
      headers: { location: `/v1/workflow-templates/${template.id}` },
    };
  });

  registerRoute(app, ROUTES.listTemplates, async ({ principal, query }) => {
    const { items, nextCursor } = await listTemplates(deps, principal, query);
    return { body: { items: items.map(templateView), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getTemplate, async ({ principal, params }) => {
    const { template, definition } = await getTemplate(deps, principal, params.template_id);
    return { body: { ...templateView(template), definition } };
  });

  registerRoute(app, ROUTES.deleteTemplate, async ({ principal, params }) => {
    await deleteTemplate(deps, principal, params.template_id);
    return undefined;
  });

  // Kinds never change while the service runs.
  const views = deps.registry.components.map(componentView);
  registerRoute(app, ROUTES.listComponents, async () => ({ body: { items: views, next_cursor: null } }));

  registerRoute(app, ROUTES.getComponent, async ({ params }) => {
    const view = views.find(({ kind }) => kind === params.kind);
    if (view === undefined)
      throw new AiepError("COMPONENT_NOT_FOUND", `There is no node kind ${params.kind}.`);
    return { body: view };
  });
}
