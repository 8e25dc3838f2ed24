/** Routes of frozen versions: freezing, reading, comparing, exporting, compiling. */
import { ROUTES } from "@aiep/contracts";
import { registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import { exportBundle } from "../operations/bundles.ts";
import { compile } from "../operations/compile.ts";
import { exportVersion } from "../operations/export.ts";
import { diffVersions, freezeVersion, getVersion, listVersions } from "../operations/versions.ts";
import { contextOf, type RouteDeps } from "./context.ts";
import { versionDetail, versionSummary } from "./views.ts";

export function registerVersionRoutes(app: FastifyInstance, deps: RouteDeps): void {
  registerRoute(app, ROUTES.freezeVersion, async (request) => {
    const { principal, params, body, ifMatch } = request;
    const { version, isNew } = await freezeVersion(deps, principal, params.experiment_id, body, {
      ...contextOf(request),
      ifMatch,
    });
    return { status: isNew ? 201 : 200, body: versionSummary(version) };
  });

  registerRoute(app, ROUTES.listVersions, async ({ principal, params, query }) => {
    const { items, nextCursor } = await listVersions(deps, principal, params.experiment_id, query);
    return { body: { items: items.map(versionSummary), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getVersion, async ({ principal, params }) => ({
    body: versionDetail(await getVersion(deps, principal, params.experiment_id, params.version_name)),
  }));

  registerRoute(app, ROUTES.diffVersions, async ({ principal, params, query }) => {
    const { experiment, diff } = await diffVersions(deps, principal, params.experiment_id, query);
    return { body: { experiment_id: experiment.id, ...query, changes: [...diff] } };
  });

  registerRoute(app, ROUTES.exportBundle, async ({ principal, params }) => ({
    body: await exportBundle(deps, principal, params.experiment_id, params.version_name),
  }));

  registerRoute(app, ROUTES.compileExperiment, async ({ principal, params, body }) => {
    const { name, text, secrets, inexpressible } = await compile(deps, principal, params.experiment_id, body);
    return {
      body: {
        target: body.target,
        name,
        document: text,
        secrets,
        inexpressible: inexpressible.map(({ node, ...rest }) => ({ ...rest, node: node ?? null })),
      },
    };
  });

  registerRoute(app, ROUTES.exportExperiment, async ({ principal, params, query }, reply) => {
    const file = await exportVersion(deps, principal, params.experiment_id, query);
    await reply
      .headers({
        "content-type": file.contentType,
        "content-disposition": `attachment; filename="${file.name}"`,
        "cache-control": "no-store",
      })
      .send(file.content);
    return undefined;
  });
}
