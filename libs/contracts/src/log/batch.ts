/**
 * A log batch on the wire (D7, D17): not an event. Payload: whole CRI lines (`<time> <stdout|stderr> <P|F> <text>\n`),
 * bytes exactly as in the file. Headers place it: a batch covers bytes [position, position + payload length) of the
 * node's log, where positions count all bytes of all files of that node's container from 0, over rotations.
 *
 * L1 `Nats-Msg-Id` = `<pod uid>/<container>:<position>-<payload length>`: the same id always means the same bytes. (By
 *    position alone a longer batch, read again after a crash, would be dropped by the broker as a duplicate.)
 * L2 positions of one source are contiguous; a hole is loss and is marked with a gap, never hidden (D18).
 */
export const LOG_HEADERS = {
  /** `<pod uid>/<container>`: the source whose positions count from 0. A task's node may have several, one per attempt. */
  source: "aiep-log-source",
  position: "aiep-log-position",
  lines: "aiep-log-lines",
  attempt: "aiep-log-attempt",
  /** `true` on the last batch of a source, which is empty: the container ended and the file was read to its end. */
  final: "aiep-log-final",
} as const;

/** Largest payload of one batch; far below NATS' default 1 MiB. */
export const MAX_BATCH_BYTES = 256 * 1024;

/** Prefix of the lines that the platform itself writes into a node's log. */
export const PLATFORM_LINE_PREFIX = "[aiep] ";

/** Name of the file beside a node's container folder that maps it to its task where there are no pod labels. */
export const POD_FILE = "aiep.json";
