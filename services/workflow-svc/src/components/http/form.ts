import type { ComponentForm } from "../form.ts";

export const httpForm: ComponentForm = {
  groups: [
    { id: "request", title: { zh: "请求", en: "Request" } },
    { id: "answer", title: { zh: "应答", en: "Answer" } },
  ],
  fields: [
    { path: "method", label: { zh: "方法", en: "Method" }, widget: "select", group: "request" },
    { path: "url", label: { zh: "地址", en: "URL" }, widget: "text", group: "request" },
    { path: "headers", label: { zh: "请求头", en: "Headers" }, widget: "map", group: "request" },
    {
      path: "secret_headers",
      label: { zh: "密钥请求头", en: "Secret headers" },
      widget: "secret-name",
      group: "request",
    },
    { path: "body", label: { zh: "请求体", en: "Body" }, widget: "json", group: "request" },
    {
      path: "timeout_seconds",
      label: { zh: "超时", en: "Time limit" },
      widget: "duration",
      group: "request",
      unit: { zh: "秒", en: "seconds" },
    },
    {
      path: "expected_status",
      label: { zh: "期望状态码", en: "Expected status" },
      widget: "list",
      group: "answer",
    },
    {
      path: "follow_redirects",
      label: { zh: "最多重定向次数", en: "Redirects followed" },
      widget: "number",
      group: "answer",
    },
    {
      path: "keep_body",
      label: { zh: "保留应答内容", en: "Keep the answer" },
      widget: "switch",
      group: "answer",
    },
  ],
};
