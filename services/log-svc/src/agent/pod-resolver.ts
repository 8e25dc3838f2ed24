/** Whose log a pod folder is. Locally a file beside the logs says so; in a cluster the pod's labels do. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { LOG_COMPLETE_FILE, POD_FILE, type PodFile, podFile } from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";

export interface PodResolver {
  /** Undefined while it is not known (yet). */
  resolve(folder: string): Promise<PodFile | undefined>;
  /** The containers ended and their logs are whole. */
  isComplete(folder: string): Promise<boolean>;
}

export const filePodResolver: PodResolver = {
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
