/** Waits for people: nothing is done here. Who may decide stands in the node's row, for whoever takes the decision. */
import type { Executor } from "./executor.ts";

export function approvalExecutor(): Executor<"approval"> {
  return {
    starting: ({ input: { request } }) => ({
      remember: {
        allowed_users: [...request.allowedUsers],
        allowed_roles: [...request.allowedRoles],
        message: request.message,
      },
    }),
    begin: () => {},
  };
}
