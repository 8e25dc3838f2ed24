/** Publications and schedulers over HTTP: reads, calls one operation, answers. */
import { ROUTES } from "@aiep/contracts";
import { createOnce, etag, notModified, registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import type { Publication } from "../domain/publication/index.ts";
import {
  listPublications,
  type PublicationDeps,
  publicationHistory,
  publish,
  rotatePublicationSecret,
  schedulerStatuses,
  unpublishPublication,
  waitForPublication,
} from "../operations/publications.ts";
import { type TestPublicationDeps, testPublication } from "../operations/test-publication.ts";
import { publicationDetail, publicationView } from "../store/publication-rows.ts";
import { contextOf, type RouteDeps, replayedHeader } from "./context.ts";

export function registerPublicationRoutes(
  app: FastifyInstance,
  deps: RouteDeps & PublicationDeps & TestPublicationDeps,
): void {
  registerRoute(app, ROUTES.publish, async (request) => {
    const { principal, body } = request;
    const { body: detail, replayed } = await createOnce(deps, {
      route: ROUTES.publish,
      request,
      content: body,
      view: publicationDetail,
      perform: async (also) => await publish(deps, principal, body, { context: contextOf(request), also }),
    });
    const headers = { location: `/v1/publications/${detail.id}`, etag: etag(detail.version) };
    return { body: detail, headers: { ...headers, ...replayedHeader(replayed) } };
  });

  registerRoute(app, ROUTES.listPublications, async ({ principal, query }) => {
    const { items, nextCursor } = await listPublications(deps, principal, query);
    return { body: { items: items.map(publicationView), next_cursor: nextCursor } };
  });

  registerRoute(app, ROUTES.getPublication, async ({ principal, params, query, ifNoneMatch, signal }) => {
    const { wait_seconds: seconds = 0, after_version: afterVersion, until = "changed" } = query;
    const wait = { seconds, afterVersion, until };
    const publication = await waitForPublication(deps, principal, params.publication_id, wait, signal);
    return {
      ...answer(publication),
      ...(notModified(ifNoneMatch, publication.version) ? { status: 304 } : {}),
    };
  });

  registerRoute(app, ROUTES.getPublicationHistory, async ({ principal, params }) => ({
    body: { items: [...(await publicationHistory(deps, principal, params.publication_id))] },
  }));

  registerRoute(app, ROUTES.unpublish, async (request) => {
    const { principal, params } = request;
    const options = { context: contextOf(request) };
    return answer(await unpublishPublication(deps, principal, params.publication_id, options));
  });

  registerRoute(app, ROUTES.rotatePublicationSecret, async (request) => {
    const { principal, params } = request;
    const options = { context: contextOf(request) };
    return answer(await rotatePublicationSecret(deps, principal, params.publication_id, options));
  });

  registerRoute(app, ROUTES.testPublication, async ({ principal, params, body, signal }) => ({
    body: await testPublication(deps, principal, params.publication_id, body, signal),
  }));

  registerRoute(app, ROUTES.listSchedulers, async ({ signal }) => {
    const statuses = await schedulerStatuses(deps, signal);
    return { body: { items: statuses.map(({ checks, ...status }) => ({ ...status, checks: [...checks] })) } };
  });
}

function answer(publication: Publication) {
  return { body: publicationDetail(publication), headers: { etag: etag(publication.version) } };
}
