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
export function principalOf(directory: DirectoryIndex, name: string): Principal {
  const user = directory.user(name);
  if (user === undefined) throw new AiepError("UNKNOWN_USER", `The directory does not know ${name}.`);
  return {
    user: user.name,
    uid: user.uid,
    gid: user.gid,
    proxyUsers: user.proxy_users,
    isAdmin: user.roles.includes("admin"),
    isService: user.roles.includes("service"),
    memberships: directory.groupsOf(name),
  };
}
