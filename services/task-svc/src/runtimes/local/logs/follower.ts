/**
 * When to convert: soon after output came, once more when it ended. The converter knows how.
 *
 * F1 one wake-up takes many writes; latency stays a few milliseconds.
 * F2 a full disk is waited out: the raw output is still there.
 */
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@aiep/service-kit";
import type { Converter } from "./converter.ts";
import type { LogStream } from "./cri.ts";

export interface FollowerDeps {
  readonly converter: Converter;
  readonly raw: Readonly<Record<LogStream, string>>;
  readonly log: Logger;
  /** Ends everything; what is not converted is left to a successor. */
  readonly signal: AbortSignal;
}

const PAUSE_MS = 5;
const RETRY_MS = 1000;

export class LogFollower {
  private readonly deps: FollowerDeps;
  private timer: NodeJS.Timeout | undefined;
  private finishing = false;
  /** Of the raw files, when they were last converted; -1 after a failure. */
  private convertedSize = -1;

  constructor(deps: FollowerDeps) {
    this.deps = deps;
  }

  /** Output came. */
  soon(): void {
    if (this.timer !== undefined || this.finishing || this.deps.signal.aborted) return;
    this.timer = setTimeout(() => {
      void this.convert().finally(() => {
        this.timer = undefined;
        if (this.convertedSize >= 0) this.ifGrown();
      });
    }, PAUSE_MS);
  }

  /** Output may have come without anybody telling. */
  ifGrown(): void {
    if (this.rawSize() !== this.convertedSize) this.soon();
  }

  /** Nothing will follow: to the last byte, and the mark that the log is complete. */
  async finish(): Promise<void> {
    this.finishing = true;
    clearTimeout(this.timer);
    for (;;) {
      try {
        return await this.deps.converter.drain(true, this.deps.signal);
      } catch (error) {
        this.deps.log.error({ err: error }, "a log cannot be finished; tried again");
        await sleep(RETRY_MS, undefined, { signal: this.deps.signal });
      }
    }
  }

  private async convert(): Promise<void> {
    try {
      const size = this.rawSize();
      await this.deps.converter.drain(false, this.deps.signal);
      this.convertedSize = size;
    } catch (error) {
      this.convertedSize = -1;
      this.deps.log.error({ err: error }, "a log is not converted; tried again");
    }
  }

  private rawSize(): number {
    const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return size(this.deps.raw.stdout) + size(this.deps.raw.stderr);
  }
}
