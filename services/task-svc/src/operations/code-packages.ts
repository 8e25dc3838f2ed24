/** Code packages of a group: upload (the same bytes in the same group are the same package) and look-up. */
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { AiepError, type CodePackageId, codePackageId, type GroupId, hexId } from "@aiep/contracts";
import { type Principal, requireMember, visibleGroups, zipTextFiles } from "@aiep/service-kit";
import type { CodePackageFiles, ReceiveOptions } from "../code-packages/package-files.ts";
import type { CodePackage, TaskStore } from "../store/task-store.ts";

export interface CodePackageDeps {
  readonly store: Pick<TaskStore, "insertCodePackage" | "useCodePackage">;
  readonly packages: CodePackageFiles;
  readonly clock: () => Date;
}

export interface UploadRequest extends ReceiveOptions {
  readonly groupId: GroupId | undefined;
  readonly body: AsyncIterable<Buffer>;
}

/** Rights are judged before a byte is read. */
export async function uploadCodePackage(
  { store, packages, clock }: CodePackageDeps,
  principal: Principal,
  { groupId: wanted, body, ...options }: UploadRequest,
): Promise<CodePackage> {
  const groupId = wanted ?? onlyGroup(principal);
  requireMember(principal, groupId);
  const { sha256, sizeBytes, fileCount } = await packages.receive(body, options);
  return await store.insertCodePackage({
    id: codePackageId.parse(hexId(randomBytes(16))),
    sha256,
    sizeBytes,
    fileCount,
    groupId,
    createdBy: principal.user,
    createdAt: clock(),
  });
}

export interface KeepFilesDeps {
  readonly store: Pick<TaskStore, "insertCodePackage">;
  readonly packages: Pick<CodePackageFiles, "receive">;
  readonly clock: () => Date;
}

/** A submit's own text files, kept as a package of the group. Who may submit was judged before. */
export async function keepCodeFiles(
  { store, packages, clock }: KeepFilesDeps,
  files: Readonly<Record<string, string>>,
  owner: { readonly groupId: GroupId; readonly user: string },
): Promise<CodePackage> {
  const { sha256, sizeBytes, fileCount } = await packages.receive(Readable.from([zipTextFiles(files)]));
  return await store.insertCodePackage({
    id: codePackageId.parse(hexId(randomBytes(16))),
    sha256,
    sizeBytes,
    fileCount,
    groupId: owner.groupId,
    createdBy: owner.user,
    createdAt: clock(),
  });
}

export async function getCodePackage(
  { store, clock }: Pick<CodePackageDeps, "store" | "clock">,
  principal: Principal,
  id: CodePackageId,
): Promise<CodePackage> {
  const groups = visibleGroups(principal);
  const found = await store.useCodePackage(id, clock());
  if (found === undefined || !(groups === "all" || groups.includes(found.groupId)))
    throw new AiepError("CODE_PACKAGE_UNKNOWN", `There is no code package ${id} in your groups.`);
  return found;
}

function onlyGroup(principal: Principal): GroupId {
  const [only, ...others] = principal.memberships;
  if (only === undefined) throw new AiepError("GROUP_REQUIRED", `${principal.user} is in no group.`);
  if (others.length > 0)
    throw new AiepError("GROUP_REQUIRED", `${principal.user} is in several groups: send ?group_id=.`, {
      errors: [{ pointer: "?group_id", code: "REQUIRED", detail: "one of your groups" }],
    });
  return only.group.id;
}
