import { randomUUID } from "node:crypto";
import { publicationDetail, ROUTES } from "@aiep/contracts";
import type { CommandModule } from "../../cli/command.ts";
import { usageError } from "../../cli/errors.ts";
import type { Options } from "../../cli/options.ts";
import { withSession } from "../../cli/session.ts";
import { findPublication } from "../../schedules/find-publications.ts";
import { followPublication } from "../../schedules/follow-publication.ts";
import { given, textPairs } from "../../schedules/options.ts";
import { experimentIdOf, wholeExperimentId } from "../../workflows/ids.ts";

export const publish: CommandModule = {
  run: async (context) => {
    const { options, args } = context;
    const id = experimentIdOf(args[0]);
    const body = {
      version_name: options.text("version"),
      scheduler: options.text("scheduler"),
      cron: cronOf(options),
      time_zone: options.text("time-zone"),
      parameters: parametersOf(options),
    };
    return await withSession(context, async (session) => {
      const published = await session.api.call(ROUTES.publish, publicationDetail, {
        body: { experiment_id: await wholeExperimentId(session, id), ...body },
        idempotencyKey: randomUUID(),
        signal: session.signal,
      });
      return await followPublication(session, published);
    });
  },
};

/** None takes them away, undefined leaves them. */
function parametersOf(options: Options): Readonly<Record<string, string>> | undefined {
  const named = given(options.list("param"), textPairs);
  if (!options.flag("no-params")) return named;
  if (named !== undefined) throw usageError("only one of --param and --no-params is taken");
  return {};
}

/** null takes the times away, undefined leaves them. */
function cronOf(options: Options): string | null | undefined {
  const cron = options.text("cron");
  if (!options.flag("no-cron")) return cron;
  if (cron !== undefined) throw usageError("only one of --cron and --no-cron is taken");
  return null;
}

export const unpublish: CommandModule = changing("unpublish");
export const rotateSecret: CommandModule = changing("rotatePublicationSecret");

function changing(name: "unpublish" | "rotatePublicationSecret"): CommandModule {
  return {
    run: async (context) =>
      await withSession(context, async (session) => {
        const { data } = await findPublication(session, context.args[0]);
        const changed = await session.api.call(ROUTES[name], publicationDetail, {
          params: { publication_id: data.id },
          signal: session.signal,
        });
        return await followPublication(session, changed);
      }),
  };
}
