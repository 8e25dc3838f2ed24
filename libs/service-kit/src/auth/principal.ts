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
export function principalOf(_directory: DirectoryIndex, _user: string): Principal {
  throw new Error("pending");
}
