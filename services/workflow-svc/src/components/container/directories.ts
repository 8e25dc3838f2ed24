/**
 * DATA_DIR, RESULT_DIR and CODE_DIR as mounts of the task file (documents: 目录设置). Where they lie inside is ours to choose;
 * scripts use the variables.
 */
import type { TaskFileInput } from "@aiep/contracts";
import type { ManifestProblem } from "../../domain/definition/index.ts";
import type { Directories } from "./parts.ts";

type Mount = NonNullable<TaskFileInput["data_info"]>[number];

interface Folder {
  readonly variable: "DATA_DIR" | "RESULT_DIR" | "CODE_DIR";
  readonly root: "storage_root" | "code_root";
  readonly subFolder: "data_sub_dir" | "result_sub_dir" | "code_sub_dir";
  readonly target: string;
  readonly access: "Read" | "ReadWrite";
}

/** What is written comes first: all written mounts of a task lie below the root of its first one. */
const FOLDERS: readonly Folder[] = [
  {
    variable: "RESULT_DIR",
    root: "storage_root",
    subFolder: "result_sub_dir",
    target: "/workspace/result",
    access: "ReadWrite",
  },
  {
    variable: "DATA_DIR",
    root: "storage_root",
    subFolder: "data_sub_dir",
    target: "/workspace/data",
    access: "Read",
  },
  {
    variable: "CODE_DIR",
    root: "code_root",
    subFolder: "code_sub_dir",
    target: "/workspace/code",
    access: "Read",
  },
];

export function directoryMounts(directories: Directories | undefined): Mount[] {
  if (directories === undefined) return [];
  return FOLDERS.flatMap(({ variable, root, subFolder, target, access }): Mount[] => {
    const below = directories[subFolder];
    const parent = rootOf(directories, root);
    if (below === undefined || parent === undefined) return [];
    return [
      {
        mlss_platform_parent_dir: parent,
        ...(below === "" ? {} : { mlss_platform_sub_dir: below }),
        mapping_path: target,
        mapping_path_name: variable,
        access_mode: access,
      },
    ];
  });
}

export function directoryProblems(directories: Directories | undefined): ManifestProblem[] {
  if (directories === undefined) return [];
  return FOLDERS.filter(
    ({ root, subFolder }) => directories[subFolder] !== undefined && rootOf(directories, root) === undefined,
  ).map(({ root, subFolder }) => ({
    path: ["directories", root],
    detail: `is required with ${subFolder}: name the storage root that the folder lies below`,
  }));
}

function rootOf(directories: Directories, root: Folder["root"]): string | undefined {
  return root === "code_root"
    ? (directories.code_root ?? directories.storage_root)
    : directories.storage_root;
}
