/** Whose log a pod folder is. Locally a file beside the logs says so; in a cluster the pod's labels do (cluster-pods.ts). */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { LOG_COMPLETE_FILE, POD_FILE, type PodFile, podFile } from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";

/**
 * `node`: its log is the node's. `prepare`: its lines are repeated by the node's container, so it counts only where that
 * never began. `other`: nobody's log.
 */
export type ContainerRole = "node" | "prepare" | "other";

export interface PodResolver {
  /** What it knows of a pod may go before the pod's folder: the checkpoint remembers it. */
  readonly forgetful: boolean;
  /** By its name alone: a folder that is not ours is never opened. */
  mayBeOurs(name: string): boolean;
  /** `foreign`: somebody else's after all. Undefined while it is not known (yet). */
  resolve(folder: string): Promise<PodFile | "foreign" | undefined>;
  roleOf(container: string): ContainerRole;
  /** The container ended, or never will begin, and what it wrote is in its files; without a container: all of them. */
  isComplete(folder: string, container?: string): Promise<boolean>;
}

export const filePodResolver: PodResolver = {
  forgetful: false,
  mayBeOurs: () => true,
  roleOf: () => "node",
  async resolve(folder) {
    const text = await unlessMissing(readFile(join(folder, POD_FILE), "utf8"));
    if (text === undefined) return undefined;
    return podFile.safeParse(parseJson(text)).data;
  },
  async isComplete(folder) {
    return (await unlessMissing(stat(join(folder, LOG_COMPLETE_FILE)))) !== undefined;
  },
};

/** A file that is just being written is no JSON yet: undefined. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Undefined when the file or a folder on the way to it does not exist. */
export async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
