/** `approval`: suspends the run's branch until somebody decides. Who may decide is judged here, pure; deciding is the engine's. */
import * as z from "zod";
import { APPROVAL_ROLES, type ApprovalRequest } from "../component.ts";
import { defineApproval, ready } from "../define.ts";

const manifest = z.strictObject({
  message: z.string().min(1).max(4096).describe("What is to be decided, shown to those who decide."),
  allowed_users: z
    .array(z.string().min(1).max(253))
    .max(100)
    .default([])
    .describe("Users who may decide. Without users and roles every member of the group may."),
  allowed_roles: z
    .array(z.enum(APPROVAL_ROLES))
    .max(APPROVAL_ROLES.length)
    .default([])
    .describe("Roles whose holders may decide: the group's administrator, platform administrators."),
  timeout_seconds: z
    .number()
    .positive()
    .max(30 * 86_400)
    .optional()
    .describe("After this time on_timeout happens. Default: it waits as long as the run may."),
  on_timeout: z.enum(["fail", "skip", "approve"]).default("fail").describe("What happens when time is up."),
});

export const approval = defineApproval({
  kind: "approval",
  title: { zh: "人工审批", en: "Approval" },
  category: "control",
  summary: {
    zh: "等待有权限的人批准或拒绝。",
    en: "Waits until somebody who may do so approves or rejects. Values given with the approval become its outputs.",
  },
  manifest,
  outputs: "any",
  form: {
    groups: [
      { id: "decision", title: { zh: "审批", en: "Decision" } },
      { id: "time", title: { zh: "超时", en: "Time limit" } },
    ],
    fields: [
      { path: "message", label: { zh: "审批内容", en: "Question" }, widget: "multiline", group: "decision" },
      { path: "allowed_users", label: { zh: "审批人", en: "Users" }, widget: "user-list", group: "decision" },
      { path: "allowed_roles", label: { zh: "审批角色", en: "Roles" }, widget: "select", group: "decision" },
      {
        path: "timeout_seconds",
        label: { zh: "超时时间", en: "Time limit" },
        widget: "duration",
        group: "time",
        unit: { zh: "秒", en: "seconds" },
      },
      { path: "on_timeout", label: { zh: "超时后", en: "When time is up" }, widget: "select", group: "time" },
    ],
  },
  example: {
    message: "Release the model of ${run_date}?",
    allowed_users: ["alice"],
    timeout_seconds: 86_400,
    on_timeout: "fail",
  },
  toApproval: ({ manifest: settings }) =>
    ready({
      message: settings.message,
      allowedUsers: settings.allowed_users,
      allowedRoles: settings.allowed_roles,
      timeoutSeconds: settings.timeout_seconds,
      onTimeout: settings.on_timeout,
    }),
});

/** Somebody who wants to decide, as the directory knows them. */
export interface Decider {
  readonly user: string;
  /** Member of the run's group, viewers not counted. */
  readonly member: boolean;
  readonly groupAdmin: boolean;
  readonly platformAdmin: boolean;
}

/** Whoever is named needs standing in the group, too; a platform administrator has it everywhere. */
export function mayDecide(
  { allowedUsers, allowedRoles }: Pick<ApprovalRequest, "allowedUsers" | "allowedRoles">,
  who: Decider,
): boolean {
  if (who.platformAdmin && (allowedRoles.includes("admin") || allowedUsers.includes(who.user))) return true;
  if (!who.member) return false;
  if (allowedUsers.length === 0 && allowedRoles.length === 0) return true;
  return allowedUsers.includes(who.user) || (who.groupAdmin && allowedRoles.includes("group_admin"));
}
