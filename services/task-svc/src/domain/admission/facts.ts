/** What admission is given, and how a rule answers. */
import type {
  CodePackageId,
  Directory,
  DirectoryGroup as Group,
  GroupId,
  DirectoryNamespace as Namespace,
  DirectoryProxyUser as ProxyUser,
  SubmitTaskBody,
  DirectoryUser as User,
} from "@aiep/contracts";
import type { Refusal } from "./refusal.ts";

export type { Group, Namespace, ProxyUser, User };

/** What admission asks of the directory. */
export interface AdmissionDirectory {
  readonly document: Directory;
  user(name: string): User | undefined;
  group(id: string): Group | undefined;
  groupsOf(user: string): readonly { readonly group: Group; readonly role: "member" | "viewer" }[];
}

export interface CodePackageFacts {
  readonly id: CodePackageId;
  readonly groupId: GroupId;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface AdmissionRequest {
  readonly body: SubmitTaskBody;
  /** The verified sender. */
  readonly user: string;
  /** Whether the sender is a platform service, which alone may fill the experiment fields. */
  readonly platformService: boolean;
  readonly directory: AdmissionDirectory;
  /** The package `body.code_package_id` names; undefined when there is none. */
  readonly codePackage: CodePackageFacts | undefined;
}

/** A rule found what the task needs, or says why not. */
export type Resolved<T> =
  | { readonly kind: "found"; readonly value: T }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[] };

export const found = <T>(value: T): Resolved<T> => ({ kind: "found", value });
export const no = (...refusals: Refusal[]): Resolved<never> => ({ kind: "refused", refusals });
