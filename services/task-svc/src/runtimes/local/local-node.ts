/**
 * One node of one workload: prepared, started, watched, stopped, its log converted to the end. Everything it knows it
 * reads from the node's folder, so that it may be dropped at any moment and made again (R4).
 *
 * N1 what happened is read in `refresh`, and only there; whoever notices something calls it.
 * N2 `run` is the node's life as one straight line; it ends when the log is complete.
 * N3 nothing is polled in the hot path: inotify wakes it. The runtime's slow tick is for what inotify misses.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, type FSWatcher, openSync, readFileSync, rmSync, watch } from "node:fs";
import { join } from "node:path";
import type { TaskIo, TaskOutputs } from "@aiep/contracts";
import type { Limiter, Logger } from "@aiep/service-kit";
import { ArtifactUnavailable } from "../../artifacts/artifact-store.ts";
import { type Left, leavesSomething } from "../../artifacts/left.ts";
import { Patience } from "../../artifacts/patience.ts";
import type { NodeObservation, Workload } from "../../domain/runtime.ts";
import { outOfMemory, removeGroup } from "./cgroup.ts";
import { UNSHARE } from "./host.ts";
import { NODE_FILES, type NodePlace, type NodeSlot } from "./layout.ts";
import { Converter } from "./logs/converter.ts";
import { LogFollower } from "./logs/follower.ts";
import { logTimeNow } from "./logs/log-time.ts";
import { NODE_UID_VARIABLE } from "./node-environment.ts";
import { NOTHING, type NodeFacts, observeNode, readFacts, writeExit } from "./node-files.ts";
import { collectFromNode, readLeft } from "./node-io.ts";
import { type PrepareDeps, prepareNode, readLinks, recordNeverStarted } from "./prepare.ts";
import { isAlive, killByEnvironment, signal as sendSignal } from "./processes.ts";
import { WRAPPER, WRAPPER_PATH } from "./wrapper.ts";

export interface StopOrder {
  readonly requestedAt: Date;
  /** When force is used. */
  readonly deadline: Date;
}

export interface LocalNodeDeps extends PrepareDeps {
  readonly log: Logger;
  /** Nodes prepared at the same time share the machine with running ones. */
  readonly preparing: Limiter;
}

export interface LocalNodeInput {
  readonly workload: Workload;
  readonly slot: NodeSlot;
  readonly place: NodePlace;
  readonly ports: readonly number[];
  /** The node that must run before this one starts. */
  readonly master: LocalNode | undefined;
  readonly onChange: () => void;
}

export class LocalNode {
  readonly slot: NodeSlot;
  readonly place: NodePlace;
  readonly done: Promise<void>;
  private readonly deps: LocalNodeDeps;
  private readonly input: LocalNodeInput;
  private readonly output: LogFollower;
  private readonly closing = new AbortController();
  private readonly waiters = new Set<() => void>();
  private facts: NodeFacts = NOTHING;
  private stopOrder: StopOrder | undefined;
  private stopSent: "nothing" | "SIGTERM" | "SIGKILL" = "nothing";
  private watcher: FSWatcher | undefined;
  private killTimer: NodeJS.Timeout | undefined;
  private outOfMemory = false;
  /** What worker-0 left, once it was kept. */
  private left: Left | undefined;

  constructor(deps: LocalNodeDeps, input: LocalNodeInput, stopOrder: StopOrder | undefined) {
    this.deps = deps;
    this.input = input;
    this.slot = input.slot;
    this.place = input.place;
    this.stopOrder = stopOrder;
    const raw = {
      stdout: join(this.place.dir, NODE_FILES.stdout),
      stderr: join(this.place.dir, NODE_FILES.stderr),
    };
    const converter = new Converter({
      raw,
      journal: join(this.place.dir, NODE_FILES.journal),
      podDir: this.place.podDir,
      pod: {
        task_id: input.workload.taskId,
        group_id: input.workload.groupId,
        node: this.slot.name,
        attempt: input.workload.attempt,
        pod_uid: this.place.uid,
      },
      now: logTimeNow,
    });
    const log = deps.log.child({ task: input.workload.taskId, node: this.slot.name });
    this.output = new LogFollower({ converter, raw, log, signal: this.closing.signal });
    this.refresh();
    this.done = this.run().catch((error: unknown) => {
      if (!this.closing.signal.aborted) log.error({ err: error }, "a node is not watched any more");
    });
  }

  get started(): boolean {
    return this.facts.startedAt !== undefined;
  }

  /** Its command has ended, or will never start. */
  get ended(): boolean {
    return this.facts.exit !== undefined || (this.stopOrder !== undefined && this.facts.claim === undefined);
  }

  /** Prepared, and held back until the master runs. */
  get waitsForMaster(): boolean {
    const { master } = this.input;
    return (
      master !== undefined &&
      !master.started &&
      this.facts.prepared &&
      !this.ended &&
      this.facts.claim === undefined
    );
  }

  /** What it left for other tasks; undefined on every other node, and until it has ended well. */
  get outputs(): TaskOutputs | undefined {
    return this.left?.kind === "outputs" ? this.left.outputs : undefined;
  }

  observe(): NodeObservation {
    return observeNode(this.slot, this.seenFacts(), {
      stopRequestedAt: this.stopOrder?.requestedAt,
      outOfMemory: this.outOfMemory,
    });
  }

  /** N4 a command that ended well counts as running until what it left was kept. */
  private seenFacts(): NodeFacts {
    if (!this.mustCollect()) return this.facts;
    if (this.left === undefined) return { ...this.facts, exit: undefined };
    if (this.left.kind === "outputs") return this.facts;
    return { ...this.facts, refused: { reason: "OutputsInvalid", message: this.left.message } };
  }

  private mustCollect(): boolean {
    const { exit, startedAt } = this.facts;
    return (
      exit?.code === 0 && startedAt !== undefined && leavesSomething(this.input.workload.spec.io, this.slot)
    );
  }

  private async collect(): Promise<void> {
    const { io } = this.input.workload.spec;
    if (io === undefined || !this.mustCollect()) return;
    const { signal } = this.closing;
    this.left = (await readLeft(this.place.dir)) ?? (await this.keepLeft(io, signal));
    this.input.onChange();
  }

  /** Its command has ended well: a store that does not answer is waited for, but not against a stop. */
  private async keepLeft(io: TaskIo, signal: AbortSignal): Promise<Left> {
    const { dir } = this.place;
    const { artifacts } = this.deps;
    for (const patience = new Patience(); ; await patience.wait(signal)) {
      try {
        const isLastTry = patience.isOver || this.stopOrder !== undefined;
        return await collectFromNode({ dir, io, artifacts, isLastTry }, signal);
      } catch (error) {
        signal.throwIfAborted();
        this.deps.log.warn({ err: error, node: this.place.uid }, "what a node left cannot be kept yet");
      }
    }
  }

  /** `stop` lies in the workload's folder already (W2). */
  stop(order: StopOrder): void {
    this.stopOrder = order;
    this.refresh();
  }

  /** N1. */
  refresh(): void {
    if (this.closing.signal.aborted) return;
    const before = this.facts;
    this.facts = readFacts(this.place.dir);
    const { claim, exit } = this.facts;
    if (claim !== undefined && exit === undefined && !isAlive(claim)) {
      // It may have written its last word just before it went.
      this.facts = readFacts(this.place.dir);
      if (this.facts.exit === undefined) this.recordLoss();
    }
    if (before.exit === undefined && this.facts.exit !== undefined) {
      this.endStragglers();
      const group = this.memoryGroup();
      this.outOfMemory = group !== undefined && outOfMemory(group);
    }
    this.pursueStop();
    this.input.onChange();
    for (const wake of [...this.waiters]) wake();
  }

  /** For what inotify did not tell: a wrapper that was killed, an overflown queue, no watch left. */
  tick(): void {
    if (this.ended && this.watcher === undefined) return;
    this.refresh();
    if (this.facts.prepared && !this.ended) this.output.ifGrown();
  }

  /** What the node holds outside its folder. */
  release(): void {
    const group = this.memoryGroup();
    if (group !== undefined) removeGroup(group);
    for (const link of readLinks(this.place.dir)) rmSync(link, { force: true });
  }

  close(): void {
    this.closing.abort();
    this.unwatch();
    clearTimeout(this.killTimer);
    for (const wake of [...this.waiters]) wake();
  }

  /** N2. */
  private async run(): Promise<void> {
    const { signal } = this.closing;
    if (!this.facts.prepared) await this.prepare();
    if (signal.aborted) return;
    this.watch();
    this.refresh();
    const { master } = this.input;
    if (master !== undefined && !this.facts.claim)
      await this.until(() => this.ended || this.facts.claim !== undefined || master.started || master.ended);
    if (!this.ended && this.facts.claim === undefined && !signal.aborted) this.spawn();
    await this.until(() => this.ended);
    if (signal.aborted) return;
    await this.collect();
    await this.output.finish();
    this.unwatch();
    clearTimeout(this.killTimer);
  }

  private async prepare(): Promise<void> {
    const stopped = new AbortController();
    const signal = AbortSignal.any([this.closing.signal, stopped.signal]);
    const onStop = () => {
      if (this.stopOrder !== undefined) stopped.abort();
    };
    this.waiters.add(onStop);
    onStop();
    try {
      await this.prepareOnce(signal);
    } catch (error) {
      if (this.closing.signal.aborted) return;
      if (!stopped.signal.aborted) throw error;
      await recordNeverStarted(this.place);
    } finally {
      this.waiters.delete(onStop);
    }
  }

  /** A store that does not answer is waited for, in nobody else's way. */
  private async prepareOnce(signal: AbortSignal): Promise<void> {
    const { workload, place, ports } = this.input;
    for (const patience = new Patience(); ; await patience.wait(signal)) {
      const isLastTry = patience.isOver;
      const input = { workload, node: this.slot, place, ports, isLastTry };
      try {
        return await this.deps.preparing(() => prepareNode(this.deps, input, signal), signal);
      } catch (error) {
        if (!(error instanceof ArtifactUnavailable)) throw error;
        this.deps.log.warn({ err: error, node: place.uid }, "what a node is given cannot be placed yet");
      }
    }
  }

  private spawn(): void {
    const { dir } = this.place;
    const { master } = this.input;
    const note = master === undefined ? "" : `master ${master.slot.name} runs`;
    const stdout = openSync(join(dir, NODE_FILES.stdout), "a");
    const stderr = openSync(join(dir, NODE_FILES.stderr), "a");
    try {
      const unshare = this.deps.host.namespaces ? UNSHARE : "";
      const args = ["-c", WRAPPER, "aiep-node", join(dir, NODE_FILES.inside), note, unshare];
      const child = spawn("/bin/sh", args, {
        cwd: dir,
        detached: true,
        stdio: ["ignore", stdout, stderr],
        env: { PATH: WRAPPER_PATH },
      });
      child.unref();
      child.once("error", (error) => {
        this.deps.log.error({ err: error, node: this.place.uid }, "a wrapper could not be started");
        this.recordNeverClaimed();
      });
      child.once("exit", () => this.recordNeverClaimed());
    } finally {
      closeSync(stdout);
      closeSync(stderr);
    }
  }

  /** Our wrapper is gone. That one without a claim never claimed the node means that nobody will. */
  private recordNeverClaimed(): void {
    this.refresh();
    if (this.closing.signal.aborted || this.facts.claim !== undefined || !this.facts.prepared) return;
    writeExit(this.place.dir, "never started");
    this.refresh();
  }

  private recordLoss(): void {
    if (this.facts.inner !== undefined) sendSignal(this.facts.inner, "SIGKILL");
    writeExit(this.place.dir, "lost");
    this.facts = readFacts(this.place.dir);
  }

  /** Idempotent: sends what the order asks for and was not sent yet by this process. */
  private pursueStop(): void {
    const { stopOrder, facts } = this;
    if (stopOrder === undefined || facts.exit !== undefined || facts.claim === undefined) return;
    if (facts.inner !== undefined && this.stopSent === "nothing") {
      this.stopSent = "SIGTERM";
      sendSignal(facts.inner, "SIGTERM");
    }
    const left = stopOrder.deadline.getTime() - Date.now();
    clearTimeout(this.killTimer);
    if (left > 0) this.killTimer = setTimeout(() => this.refresh(), Math.min(left, 2 ** 31 - 1));
    else this.force();
  }

  private force(): void {
    const { inner, claim } = this.facts;
    this.stopSent = "SIGKILL";
    if (!this.deps.host.namespaces) this.endStragglers();
    else if (inner !== undefined) sendSignal(inner, "SIGKILL");
    else if (claim !== undefined) sendSignal(claim, "SIGKILL"); // still before its namespace: unshare goes with it
  }

  /** With a PID namespace the kernel has done it (W3). */
  private endStragglers(): void {
    if (!this.deps.host.namespaces) killByEnvironment(`${NODE_UID_VARIABLE}=${this.place.uid}`);
  }

  private memoryGroup(): string | undefined {
    const path = join(this.place.dir, NODE_FILES.group);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }

  private watch(): void {
    if (this.watcher !== undefined || this.closing.signal.aborted) return;
    try {
      this.watcher = watch(this.place.dir, { persistent: false }, (_event, name) => {
        if (name === NODE_FILES.stdout || name === NODE_FILES.stderr) this.output.soon();
        else if (name !== NODE_FILES.journal) this.refresh();
      });
      this.watcher.on("error", () => this.unwatch());
    } catch (error) {
      this.deps.log.warn({ err: error }, "no inotify watch for a node; its changes are seen within a second");
    }
    this.output.soon();
  }

  private unwatch(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }

  private async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.closing.signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.waiters.delete(wake);
          this.input.master?.waiters.delete(wake);
          resolve();
        };
        this.waiters.add(wake);
        this.input.master?.waiters.add(wake);
      });
    }
  }
}
