import type { ComponentForm } from "../form.ts";

export const dataCheckerForm: ComponentForm = {
  groups: [{ id: "data", title: { zh: "数据设置", en: "Data" } }],
  fields: [
    {
      path: "data_setting.data_source",
      label: { zh: "数据来源", en: "Data source" },
      widget: "select",
      group: "data",
    },
    {
      path: "data_setting.sql_source",
      label: { zh: "SQL 数据源", en: "SQL source" },
      widget: "text",
      group: "data",
    },
    {
      path: "data_setting.database_table_objects",
      label: { zh: "库表对象", en: "Tables and partitions" },
      widget: "list",
      group: "data",
      placeholder: "db.tb{ds=${run_date}}",
    },
    {
      path: "data_setting.check_timeout",
      label: { zh: "检查超时时间", en: "Longest wait" },
      widget: "duration",
      group: "data",
      unit: { zh: "秒", en: "seconds" },
    },
    {
      path: "data_setting.check_interval_seconds",
      label: { zh: "检查间隔", en: "Between two looks" },
      widget: "duration",
      group: "data",
      unit: { zh: "秒", en: "seconds" },
    },
  ],
};
