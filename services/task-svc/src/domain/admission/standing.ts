/** Standing (A2 of admission): a known user who is a member, not a viewer, of the group. */
import type { AdmissionRequest, Group, User } from "./facts.ts";
import { type Refusal, refusal, whoCanChange } from "./refusal.ts";

export type Standing =
  | { readonly kind: "member"; readonly user: User; readonly group: Group }
  | { readonly kind: "refused"; readonly refusal: Refusal };

const GROUP_POINTER = "/task_config/metadata/group_id";

export function judgeStanding({ body, user: name, directory }: AdmissionRequest): Standing {
  const administrators = whoCanChange.platform(directory.document);
  const user = directory.user(name);
  if (user === undefined)
    return {
      kind: "refused",
      refusal: refusal("UNKNOWN_USER", "", `The directory does not know the user ${name}.`, administrators),
    };
  const wanted = body.task_config.metadata.group_id;
  const groups = directory.groupsOf(name).map((membership) => membership.group);
  if (wanted === undefined && groups.length !== 1) {
    const detail =
      groups.length === 0
        ? `${name} is in no group, and a task belongs to one.`
        : `${name} is in several groups: set metadata.group_id to one of ${groups.map(({ id }) => id).join(", ")}.`;
    return { kind: "refused", refusal: refusal("GROUP_REQUIRED", GROUP_POINTER, detail, administrators) };
  }
  const group = wanted === undefined ? groups[0] : directory.group(wanted);
  if (group === undefined)
    return {
      kind: "refused",
      refusal: refusal(
        "NOT_A_MEMBER",
        GROUP_POINTER,
        `${name} is in no group ${wanted ?? ""}.`,
        administrators,
      ),
    };
  const member = group.members.find((each) => each.user === name);
  const groupAdmin = whoCanChange.group(group);
  if (member === undefined)
    return {
      kind: "refused",
      refusal: refusal(
        "NOT_A_MEMBER",
        GROUP_POINTER,
        `${name} is not a member of the group ${group.name}.`,
        groupAdmin,
      ),
    };
  if (member.role === "viewer")
    return {
      kind: "refused",
      refusal: refusal(
        "VIEWER_ONLY",
        GROUP_POINTER,
        `${name} may only read in the group ${group.name}.`,
        groupAdmin,
      ),
    };
  return { kind: "member", user, group };
}
