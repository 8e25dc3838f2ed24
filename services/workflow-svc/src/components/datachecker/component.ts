/**
 * `datachecker`: waits until tables or partitions are there, asked of Linkis as the documents say, or of an SQL database. It
 * holds nothing while it waits; what it knows is in its handle.
 */
import type * as z from "zod";
import type { NodeContext, Outcome, Waiting } from "../component.ts";
import { definePolled, failed } from "../define.ts";
import { dataCheckerForm } from "./form.ts";
import { type CheckHandle, checkHandle } from "./handle.ts";
import { LinkisCheck } from "./linkis/check.ts";
import { LinkisClient } from "./linkis/client.ts";
import { dataCheckerManifest } from "./manifest.ts";
import { parseObject, type TableObject } from "./object.ts";
import type { DataCheckerDeps } from "./settings.ts";
import { lookBySql } from "./sql/check.ts";

type Context = NodeContext<z.output<typeof dataCheckerManifest>>;

export function createDataChecker({ linkis, sqlSources, now }: DataCheckerDeps) {
  const client = linkis === undefined ? undefined : new LinkisClient(linkis);

  const byLinkis = (context: Context): LinkisCheck | Outcome => {
    if (client === undefined)
      return failed(
        "validation",
        "NoLinkis",
        "This installation has no Linkis; name an sql_source, or ask the platform's operators to configure one.",
      );
    const { data_source, check_timeout, check_interval_seconds } = context.manifest.data_setting;
    const wish = {
      context,
      objects: objectsOf(context),
      dataSource: data_source,
      timeoutSeconds: check_timeout,
      intervalSeconds: check_interval_seconds,
    };
    return new LinkisCheck(client, wish, now);
  };

  const bySql = async (context: Context, name: string, handle: Extract<CheckHandle, { by: "sql" }>) => {
    const own = [...sqlSources].filter(
      ([, { groups }]) => groups.length === 0 || groups.includes(context.run.groupId),
    );
    const source = own.find(([each]) => each === name)?.[1];
    if (source === undefined)
      return failed(
        "validation",
        "UnknownSqlSource",
        `There is no SQL source ${name} for this group; ${own.length === 0 ? "none is configured" : `there is ${own.map(([each]) => each).join(", ")}`}.`,
      );
    const { check_timeout, check_interval_seconds } = context.manifest.data_setting;
    const wish = {
      source,
      sourceName: name,
      objects: objectsOf(context),
      timeoutSeconds: check_timeout,
      intervalSeconds: check_interval_seconds,
    };
    return await lookBySql(wish, handle, now());
  };

  const status = async (
    context: Context,
    handle: CheckHandle,
    signal: AbortSignal,
  ): Promise<Waiting | Outcome> => {
    if (handle.by === "sql")
      return await bySql(context, context.manifest.data_setting.sql_source ?? "", handle);
    const check = byLinkis(context);
    if (!(check instanceof LinkisCheck)) return check;
    return handle.phase === "submitting"
      ? await check.submit(handle, signal)
      : await check.follow(handle, signal);
  };

  return definePolled({
    kind: "datachecker",
    title: { zh: "数据检查", en: "DataChecker" },
    category: "data",
    summary: {
      zh: "等待库表或分区就绪；超过检查时间则失败。",
      en: "Waits until tables or partitions are there; fails when the time is up, and says what is missing.",
    },
    manifest: dataCheckerManifest,
    form: dataCheckerForm,
    outputs: ["objects", "source", "rows_checked"],
    example: {
      data_setting: {
        database_table_objects: ["sales_dw.orders{ds=${run_date}}", "sales_dw.customers"],
        data_source: "HiveDB",
        check_timeout: 21_600,
      },
    },
    checkRules: ({ data_setting: { data_source, sql_source } }) =>
      data_source !== undefined && sql_source !== undefined
        ? [
            {
              path: ["data_setting", "data_source"],
              detail: "is a word of Linkis; leave it out with sql_source",
            },
          ]
        : [],
    handle: checkHandle,
    start: async (context, signal) => {
      const { sql_source } = context.manifest.data_setting;
      if (sql_source !== undefined)
        return await bySql(context, sql_source, { by: "sql", phase: "looking", began: now(), failures: 0 });
      const check = byLinkis(context);
      return check instanceof LinkisCheck ? await check.start(signal) : check;
    },
    status,
    cancel: async (context, handle, signal) => {
      if (handle.phase !== "following") return;
      const check = byLinkis(context);
      if (check instanceof LinkisCheck) await check.cancel(handle, signal);
    },
  });
}

/** The manifest's schema has let every text pass. */
function objectsOf({ manifest }: Context): TableObject[] {
  return manifest.data_setting.database_table_objects.flatMap((text) => {
    const parsed = parseObject(text);
    return parsed.ok ? [parsed.object] : [];
  });
}
