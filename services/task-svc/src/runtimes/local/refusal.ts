import type { TaskReason } from "@aiep/contracts";

/** Why a node ends before its command starts; becomes the node's reason and message. */
export class NodeRefused extends Error {
  override readonly name = "NodeRefused";
  readonly reason: TaskReason;

  constructor(reason: TaskReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
