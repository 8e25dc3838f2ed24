/** Publications by the id of their experiment or their own; a unique prefix will do (D33). */
import {
  experimentView,
  type PublicationDetail,
  page,
  publicationDetail,
  publicationView,
  ROUTES,
} from "@aiep/contracts";
import { CliError, EXIT, usageError } from "../cli/errors.ts";
import type { Session } from "../cli/session.ts";
import { type Answer, AnswerError } from "../http/api.ts";
import { shortId } from "../tasks/task-ids.ts";
import { experimentIdOf, isWhole } from "../workflows/ids.ts";
import { pages } from "../workflows/pages.ts";

export type Found = Answer<PublicationDetail>;

export async function findPublications(
  session: Session,
  written: string | undefined,
): Promise<readonly Found[]> {
  const id = experimentIdOf(written);
  const experiment = isWhole(id) ? id : await experimentWith(session, id);
  if (experiment !== undefined) {
    const scheduler = session.context.options.text("scheduler");
    const { items } = await pages(session, ROUTES.listPublications, page(publicationView), {
      query: { experiment_id: experiment, scheduler },
      all: true,
    });
    if (items.length > 0)
      return await Promise.all(
        items.map(async ({ id: publication }) => await readPublication(session, publication)),
      );
  }
  const found = await unlessMissing(async () => await readPublication(session, id));
  if (found !== undefined) return [found];
  throw new CliError(`neither an experiment that is published nor a publication has the id ${id}`, {
    code: "PUBLICATION_NOT_FOUND",
    exitCode: EXIT.notFound,
    hint: `aiepctl workflow publish-status lists what is published; aiepctl workflow publish ${id} publishes it`,
  });
}

/** The one that a command is about. */
export async function findPublication(session: Session, written: string | undefined): Promise<Found> {
  const [first, ...others] = await findPublications(session, written);
  if (first !== undefined && others.length === 0) return first;
  throw usageError(
    `${written ?? ""} is published to several schedulers`,
    "say which with --scheduler",
    [first, ...others].flatMap((each) =>
      each === undefined ? [] : [`${shortId(each.data.id)}  ${each.data.scheduler}  ${each.data.state}`],
    ),
  );
}

export async function readPublication(session: Session, id: string): Promise<Found> {
  const options = { params: { publication_id: id }, signal: session.signal };
  return await session.api.call(ROUTES.getPublication, publicationDetail, options);
}

async function experimentWith(session: Session, prefix: string): Promise<string | undefined> {
  const options = { params: { experiment_id: prefix }, signal: session.signal };
  return await unlessMissing(
    async () => (await session.api.call(ROUTES.getExperiment, experimentView, options)).data.id,
  );
}

export async function unlessMissing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof AnswerError && error.status === 404) return undefined;
    throw error;
  }
}
