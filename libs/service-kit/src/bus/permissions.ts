export type NatsRole = "task-svc" | "log-svc" | "log-agent" | "topology" | "subscriber";

/** Shaped like a user of nats-server's configuration; the password is the deployment's. */
export interface NatsPermissions {
  readonly user: NatsRole;
  readonly inboxPrefix: string;
  readonly publish: readonly string[];
  /** Includes its own inbox. */
  readonly subscribe: readonly string[];
}

/** `_INBOX_task-svc`: replies of one user cannot be read by another one. */
export function inboxPrefix(user: string): string {
  return `_INBOX_${user}`;
}

export function natsPermissions(_role: NatsRole): NatsPermissions {
  throw new Error("pending");
}
