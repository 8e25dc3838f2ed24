import * as z from "zod";
import { parseObject } from "./object.ts";

export const MIN_CHECK_SECONDS = 3600;
export const MAX_CHECK_SECONDS = 86_400;

const tableObject = z
  .string()
  .min(1)
  .max(2048)
  .superRefine((text, context) => {
    const parsed = parseObject(text);
    if (!parsed.ok) context.addIssue({ code: "custom", message: parsed.detail });
  });

export const dataCheckerManifest = z.strictObject({
  data_setting: z
    .strictObject({
      database_table_objects: z
        .array(tableObject)
        .min(1)
        .max(100)
        .describe(
          "What must be there, all of it: db.table{ds=${run_date}}, every level of the partition in the table's order. Without {…} the newest partition counts.",
        ),
      data_source: z
        .enum(["HiveDB", "MaskDB"])
        .optional()
        .describe(
          "Where Linkis looks. Default: by the database's name, MaskDB when it contains _ods, else HiveDB.",
        ),
      sql_source: z
        .string()
        .min(1)
        .max(64)
        .optional()
        .describe(
          "Look in this SQL database, one that the operators configured, instead of asking Linkis. It looks for rows, not only for the table.",
        ),
      check_timeout: z
        .number()
        .min(MIN_CHECK_SECONDS)
        .max(MAX_CHECK_SECONDS)
        .default(MAX_CHECK_SECONDS)
        .describe("How long to wait, in seconds, 1 to 24 hours. After that the node fails."),
      check_interval_seconds: z
        .number()
        .min(1)
        .max(3600)
        .optional()
        .describe(
          "Seconds between two looks. Default: 5 at Linkis' answer (Linkis itself looks once a minute), 30 in an SQL database.",
        ),
    })
    .describe("What to wait for."),
});
