import { AiepError } from "@aiep/contracts";
import type { DirectoryIndex, Membership } from "../directory/directory-index.ts";

/** Who calls, as the directory knows them at this moment. */
export interface Principal {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly proxyUsers: readonly string[];
  readonly isAdmin: boolean;
  /** A platform service: may set reserved fields. */
  readonly isService: boolean;
  readonly memberships: readonly Membership[];
}

/** UNKNOWN_USER when the directory has no such user. Also for the `requested_by` of commands. */
export function principalOf(directory: DirectoryIndex, user: string): Principal {
  const entry = directory.user(user);
  if (entry === undefined) {
    throw new AiepError("UNKNOWN_USER", `The directory knows no user ${JSON.stringify(user.slice(0, 64))}.`);
  }
  return {
    user: entry.name,
    uid: entry.uid,
    gid: entry.gid,
    proxyUsers: entry.proxy_users,
    isAdmin: entry.roles.includes("admin"),
    isService: entry.roles.includes("service"),
    memberships: directory.groupsOf(entry.name),
  };
}
