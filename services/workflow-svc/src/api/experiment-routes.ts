/** Routes of experiments and their draft: HTTP in, an operation, a view out. No rule lives here. */

import { Readable } from "node:stream";
import { AiepError, type ExperimentDetail, ROUTES } from "@aiep/contracts";
import { createOnce, etag, notModified, registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import { type ImportedBundle, importBundle } from "../operations/bundles.ts";
import {
  copyExperiment,
  createExperiment,
  deleteExperiment,
  getExperiment,
  listExperiments,
  putDraft,
  updateExperiment,
  validate,
} from "../operations/experiments.ts";
import { readArchive } from "../operations/flowjson-archive.ts";
import { problemView } from "../operations/problems.ts";
import { contextOf, DEFINITION_BODY, type RouteDeps, replayedHeader } from "./context.ts";
import { draftView, experimentDetail, experimentView } from "./views.ts";

export function registerExperimentRoutes(app: FastifyInstance, deps: RouteDeps): void {
  registerRoute(
    app,
    ROUTES.createExperiment,
    async (request) => {
      const { principal, body, query } = request;
      if (query.dry_run) {
        const made = await createExperiment(deps, principal, body, { dryRun: true });
        return { status: 200, body: experimentDetail(made) };
      }
      const { body: detail, replayed } = await createOnce(deps, {
        route: ROUTES.createExperiment,
        request,
        content: body,
        view: experimentDetail,
        perform: async (also) =>
          await createExperiment(deps, principal, body, { ...contextOf(request), also }),
      });
      return { body: detail, headers: created(detail, replayed) };
    },
    DEFINITION_BODY,
  );

  registerRoute(
    app,
    ROUTES.importExperiment,
    async (request) => {
      const { principal, raw } = request;
      const { dry_run: dryRun, ...query } = request.query;
      const flowjson = await readArchive(zipOf(raw.body));
      const detail = experimentDetail(
        await createExperiment(deps, principal, { ...query, flowjson }, { ...contextOf(request), dryRun }),
      );
      if (dryRun) return { status: 200, body: detail };
      return { body: detail, headers: created(detail, false) };
    },
    // The reader of the zip counts for itself, what is packed and what comes out.
    { bodyBytes: Number.MAX_SAFE_INTEGER },
  );

  registerRoute(
    app,
    ROUTES.validateDefinition,
    async ({ principal, body }) => {
      const { definition, problems } = await validate(deps, principal, body);
      return {
        body: {
          valid: problems.every(({ severity }) => severity !== "error"),
          problems: problems.map(problemView),
          definition: definition ?? null,
        },
      };
    },
    DEFINITION_BODY,
  );

  registerRoute(
    app,
    ROUTES.importBundle,
    async (request) => {
      const { principal, body, query } = request;
      if (query.dry_run) {
        const { references } = await importBundle(deps, principal, body, { dryRun: true });
        return { status: 200, body: { experiment: null, references: [...references] } };
      }
      const { body: view, replayed } = await createOnce(deps, {
        route: ROUTES.importBundle,
        request,
        content: body,
        view: ({ made, references }: ImportedBundle) => ({
          experiment: made === null ? null : experimentView(made.experiment),
          references: [...references],
        }),
        perform: async (also) => await importBundle(deps, principal, body, { ...contextOf(request), also }),
      });
      return { body: view, headers: replayedHeader(replayed) };
    },
    DEFINITION_BODY,
  );

  registerRoute(app, ROUTES.listExperiments, async ({ principal, query }) => {
    const { items, nextCursor } = await listExperiments(deps, principal, query);
    return { body: { items: items.map(experimentView), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getExperiment, async ({ principal, params, ifNoneMatch }) => {
    const whole = await getExperiment(deps, principal, params.experiment_id);
    return {
      body: experimentDetail(whole),
      ...cached(whole.experiment.version, ifNoneMatch),
    };
  });

  registerRoute(app, ROUTES.updateExperiment, async (request) => {
    const { principal, params, body, ifMatch } = request;
    const experiment = await updateExperiment(deps, principal, params.experiment_id, body, {
      ...contextOf(request),
      ifMatch,
    });
    return { body: experimentView(experiment), headers: { etag: etag(experiment.version) } };
  });

  registerRoute(app, ROUTES.deleteExperiment, async (request) => {
    const { principal, params, ifMatch } = request;
    await deleteExperiment(deps, principal, params.experiment_id, { ...contextOf(request), ifMatch });
    return undefined;
  });

  registerRoute(app, ROUTES.copyExperiment, async (request) => {
    const { principal, params, body } = request;
    const { body: detail, replayed } = await createOnce(deps, {
      route: ROUTES.copyExperiment,
      request,
      content: { ...body, copy: params.experiment_id },
      view: experimentDetail,
      perform: async (also) =>
        await copyExperiment(deps, principal, params.experiment_id, body, { ...contextOf(request), also }),
    });
    return { body: detail, headers: created(detail, replayed) };
  });

  registerRoute(app, ROUTES.getDraft, async ({ principal, params, ifNoneMatch }) => {
    const whole = await getExperiment(deps, principal, params.experiment_id);
    return { body: draftView(whole), ...cached(whole.experiment.draft.version, ifNoneMatch) };
  });

  registerRoute(
    app,
    ROUTES.putDraft,
    async (request) => {
      const { principal, params, body, ifMatch } = request;
      const whole = await putDraft(deps, principal, params.experiment_id, body, {
        ...contextOf(request),
        ifMatch,
      });
      return { body: draftView(whole), headers: { etag: etag(whole.experiment.draft.version) } };
    },
    DEFINITION_BODY,
  );
}

function created(detail: ExperimentDetail, replayed: boolean): Record<string, string> {
  return {
    location: `/v1/experiments/${detail.id}`,
    etag: etag(detail.version),
    ...replayedHeader(replayed),
  };
}

function cached(version: number, ifNoneMatch: string | undefined) {
  return {
    headers: { etag: etag(version) },
    ...(notModified(ifNoneMatch, version) ? { status: 304 } : {}),
  };
}

function zipOf(body: unknown): Readable {
  if (body instanceof Readable) return body;
  throw new AiepError("UNSUPPORTED_MEDIA_TYPE", "A zip is sent as application/zip.");
}
