/** One thing the supervisor keeps running: a server or a service. */
export interface Unit {
  readonly name: string;
  readonly address: string;
  readonly logFile: string;
  /** Returns when it is ready; rejects when it ended or was not ready in time, and then nothing of it runs. */
  start(signal: AbortSignal): Promise<Life>;
}

/** From one start to the end that follows. */
export interface Life {
  readonly pid: number;
  /** How it ended, whoever ended it. */
  readonly ended: Promise<string>;
  /** In order, then by force within a bound; returns when it is gone. */
  stop(): Promise<void>;
}

export class StartError extends Error {
  override readonly name = "StartError";
}
