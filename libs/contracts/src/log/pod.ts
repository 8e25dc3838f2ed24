/** Where log files lie and whose they are: the kubelet's layout, kept by the local runtime too (D14, D17). */
import * as z from "zod";
import { groupId, nodeName, taskId } from "../ids.ts";

/** Content of `aiep.json` in a pod's log folder (local runtime); in a cluster the same facts are pod labels. */
export const podFile = z.object({
  task_id: taskId,
  group_id: groupId,
  node: nodeName,
  attempt: z.int().min(1),
  pod_uid: z.string().min(1),
});
export type PodFile = z.infer<typeof podFile>;

/** `<namespace>_<pod>_<uid>`, the kubelet's folder name below `/var/log/pods`. */
export function podFolder(at: { namespace: string; pod: string; uid: string }): string {
  return `${at.namespace}_${at.pod}_${at.uid}`;
}

/** Container that runs the user's command; its log is `<pod folder>/main/0.log`. */
export const MAIN_CONTAINER = "main";
/** Empty file beside the container folder: the container ended and its log is complete. */
export const LOG_COMPLETE_FILE = "complete";
