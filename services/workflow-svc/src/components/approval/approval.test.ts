import { describe, expect, it } from "vitest";
import { contextOf } from "../testing/context.ts";
import { approval, mayDecide } from "./component.ts";

const bob = { user: "bob", member: true, groupAdmin: false, platformAdmin: false };
const open = { allowedUsers: [], allowedRoles: [] };

describe("who may decide", () => {
  it.each([
    ["every member, when nobody is named", open, bob, true],
    ["no stranger, when nobody is named", open, { ...bob, member: false }, false],
    ["who is named", { ...open, allowedUsers: ["bob"] }, bob, true],
    ["nobody who is not named", { ...open, allowedUsers: ["alice"] }, bob, false],
    ["nobody named who left the group", { ...open, allowedUsers: ["bob"] }, { ...bob, member: false }, false],
    [
      "the group's administrator by role",
      { ...open, allowedRoles: ["group_admin"] },
      { ...bob, groupAdmin: true },
      true,
    ],
    ["no other member by that role", { ...open, allowedRoles: ["group_admin"] }, bob, false],
    [
      "a platform administrator by role, in any group",
      { ...open, allowedRoles: ["admin"] },
      { ...bob, member: false, platformAdmin: true },
      true,
    ],
    [
      "no platform administrator who is neither member nor named",
      open,
      { ...bob, member: false, platformAdmin: true },
      false,
    ],
  ] as const)("%s", (_who, request, decider, expected) => expect(mayDecide(request, decider)).toBe(expected));
});

it("gives the engine what it needs", () => {
  const settings = { message: "go?", timeout_seconds: 60, on_timeout: "skip", allowed_roles: ["admin"] };
  expect(approval.toApproval(contextOf(settings))).toEqual({
    kind: "ready",
    value: {
      message: "go?",
      allowedUsers: [],
      allowedRoles: ["admin"],
      timeoutSeconds: 60,
      onTimeout: "skip",
    },
  });
});
