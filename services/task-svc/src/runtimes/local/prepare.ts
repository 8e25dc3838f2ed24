/**
 * Everything a node needs before its command starts: identity, mounts, code, material, scripts (D12, D14). Made in a
 * folder beside, then given its name by one rename: a node's folder exists only whole, whoever prepared it, and two
 * processes that prepare the same node at once end with one folder. What fails here ends the node with its reason.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, chown, mkdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AiepError, PLATFORM_LINE_PREFIX, type TaskSpec } from "@aiep/contracts";
import { hasCode } from "@aiep/service-kit";
import * as z from "zod";
import { type ArtifactStore, ArtifactUnavailable } from "../../artifacts/artifact-store.ts";
import type { Workload } from "../../domain/runtime.ts";
import type { Host } from "./host.ts";
import { NODE_FILES, type NodePlace, type NodeSlot } from "./layout.ts";
import { placeMaterial, sha256OfFile } from "./material.ts";
import { type NodePaths, nodeEnvironment } from "./node-environment.ts";
import { encodeRefusal, writeExit } from "./node-files.ts";
import { NEUTRAL_LEFT, type OwnFolder, placeIo } from "./node-io.ts";
import { NodeRefused } from "./refusal.ts";
import { planRoot } from "./root-plan.ts";
import { type CheckedMount, checkMounts, checkOwnFolders, type StorageResolver } from "./storage.ts";
import { renderInside, renderStart } from "./wrapper.ts";

export interface PrepareDeps {
  readonly host: Host;
  readonly artifacts: ArtifactStore;
  readonly resolveStorage: StorageResolver;
  /** The zip of a code package. */
  readonly codePackagePath: (sha256: string) => string;
  readonly unpackCode: (
    zipPath: string,
    targetDir: string,
    options: {
      readonly owner?: { readonly uid: number; readonly gid: number };
      readonly signal: AbortSignal;
    },
  ) => Promise<{ readonly fileCount: number }>;
}

export interface PrepareInput {
  readonly workload: Workload;
  readonly node: NodeSlot;
  readonly place: NodePlace;
  readonly ports: readonly number[];
  /** Otherwise a store that does not answer is thrown, not the node's end. */
  readonly isLastTry: boolean;
}

const GIB = 1024 ** 3;
/** Where a task finds its own folders in a namespace. */
const NEUTRAL: NodePaths = {
  code: "/aiep/code",
  resource: "/aiep/resource",
  home: "/aiep/home",
  run: "/aiep/run",
  left: NEUTRAL_LEFT,
};

/**
 * Resolves when the node's folder exists. A node that may not start has one too, which says why.
 * Throws ArtifactUnavailable when another try is worth it.
 */
export async function prepareNode(
  deps: PrepareDeps,
  input: PrepareInput,
  signal: AbortSignal,
): Promise<void> {
  const staging = `${input.place.dir}.new-${randomBytes(6).toString("hex")}`;
  await mkdir(staging);
  try {
    const lines: string[] = [];
    try {
      await new Preparation(deps, input, staging, lines, signal).run();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ArtifactUnavailable && !input.isLastTry) throw error;
      await recordRefusal(staging, asRefusal(error), lines);
    }
    await writeFile(join(staging, NODE_FILES.stderr), "", { mode: 0o600 });
    await writeFile(
      join(staging, NODE_FILES.stdout),
      lines.map((line) => `${PLATFORM_LINE_PREFIX}${line}\n`).join(""),
      { mode: 0o600 },
    );
    await rename(staging, input.place.dir).catch((error: unknown) => {
      if (!isTaken(error)) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** A node that a stop met before it was prepared: its folder says that it never started. */
export async function recordNeverStarted(place: NodePlace): Promise<void> {
  const staging = `${place.dir}.new-${randomBytes(6).toString("hex")}`;
  await mkdir(staging);
  writeExit(staging, "never started");
  await rename(staging, place.dir).catch(async (error: unknown) => {
    await rm(staging, { recursive: true, force: true });
    if (!isTaken(error)) throw error;
  });
}

/** Links on this machine that the node's preparation made. */
export function readLinks(dir: string): readonly string[] {
  const path = join(dir, NODE_FILES.links);
  return existsSync(path) ? z.array(z.string()).parse(JSON.parse(readFileSync(path, "utf8"))) : [];
}

async function recordRefusal(dir: string, refused: NodeRefused, lines: string[]): Promise<void> {
  lines.push(refused.message);
  await writeFile(join(dir, NODE_FILES.state), encodeRefusal(refused.reason, refused.message));
  writeExit(dir, "never started");
}

function asRefusal(error: unknown): NodeRefused {
  if (error instanceof NodeRefused) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new NodeRefused("LaunchFailed", `The node could not be prepared: ${message}`, { cause: error });
}

function isTaken(error: unknown): boolean {
  return hasCode(error, "ENOTEMPTY", "EEXIST");
}

class Preparation {
  private readonly deps: PrepareDeps;
  private readonly input: PrepareInput;
  private readonly staging: string;
  private readonly lines: string[];
  private readonly signal: AbortSignal;

  constructor(deps: PrepareDeps, input: PrepareInput, staging: string, lines: string[], signal: AbortSignal) {
    this.deps = deps;
    this.input = input;
    this.staging = staging;
    this.lines = lines;
    this.signal = signal;
  }

  async run(): Promise<void> {
    const { spec } = this.input.workload;
    this.checkIdentity(spec.identity);
    await this.makeFolders();
    const own = spec.io === undefined ? [] : await this.placeIo(spec.io);
    const storage = await checkMounts(spec.mounts, this.deps.resolveStorage);
    if (!this.deps.host.namespaces) await this.link(storage);
    const mounts = this.deps.host.namespaces ? await checkOwnFolders(own, storage) : storage;
    if (spec.code_package !== null) await this.unpack(spec.code_package);
    if (spec.material !== null) await this.place(spec.material);
    this.signal.throwIfAborted();
    await this.writeScripts(mounts);
  }

  private checkIdentity(identity: TaskSpec["identity"]): void {
    const { host } = this.deps;
    if (host.switchUser || identity.uid === host.uid) return;
    throw new NodeRefused(
      "IdentityRefused",
      `The command should run as ${identity.user} (uid ${identity.uid}), and the platform, running as uid ${host.uid}, cannot switch users; run the platform as root, or give ${identity.user} uid ${host.uid} in the directory.`,
    );
  }

  /** Where the command will find its folders. */
  private get paths(): NodePaths {
    if (this.deps.host.namespaces) return NEUTRAL;
    const { dir } = this.input.place;
    return {
      code: join(dir, "code"),
      resource: join(dir, "resource"),
      home: join(dir, "home"),
      run: join(dir, "run"),
      left: join(dir, "left"),
    };
  }

  private get owner(): { readonly uid: number; readonly gid: number } | undefined {
    return this.deps.host.switchUser ? this.input.workload.spec.identity : undefined;
  }

  private async makeFolders(): Promise<void> {
    for (const name of ["run", "resource", "code", "home", "root"]) {
      const path = join(this.staging, name);
      await mkdir(path);
      await chmod(path, 0o755); // whatever the umask says
      if (this.owner !== undefined && (name === "code" || name === "home"))
        await chown(path, this.owner.uid, this.owner.gid);
    }
  }

  /** Without namespaces a mount is a link where the task file wants it, or the folder that is there already. */
  private async link(mounts: readonly CheckedMount[]): Promise<void> {
    const made: string[] = [];
    for (const mount of mounts) {
      if (mount.readOnly)
        throw new NodeRefused(
          "MountRefused",
          `${mount.target} was asked for read-only, which needs a mount namespace; run the platform as root, or use access_mode ReadWrite.`,
        );
      if (mount.targetExists && mount.realTarget === mount.hostPath) continue;
      try {
        await symlink(mount.hostPath, mount.target);
        made.push(mount.target);
      } catch (cause) {
        if ((await readlink(mount.target).catch(() => "")) === mount.hostPath) continue; // another node's
        throw new NodeRefused(
          "MountRefused",
          `${mount.target} cannot be linked to ${mount.source}; run the platform as root, or use a mapping_path in a folder that the platform, uid ${this.deps.host.uid}, may write.`,
          { cause },
        );
      }
    }
    await writeFile(join(this.staging, NODE_FILES.links), JSON.stringify(made));
  }

  private async unpack(code: NonNullable<TaskSpec["code_package"]>): Promise<void> {
    const zip = this.deps.codePackagePath(code.sha256);
    const target = join(this.staging, "code");
    const refuse = (why: string, cause?: unknown) =>
      new NodeRefused("CodePackageInvalid", `The code package ${code.id} cannot be used: ${why}`, { cause });
    const sha256 = await sha256OfFile(zip, this.signal).catch((cause: unknown) => {
      this.signal.throwIfAborted();
      throw refuse("its file is missing on the platform; upload it again.", cause);
    });
    if (sha256 !== code.sha256) throw refuse("its file has changed since the upload; upload it again.");
    const { owner, signal } = this;
    const options = owner === undefined ? { signal } : { signal, owner };
    const { fileCount } = await this.deps.unpackCode(zip, target, options).catch((error: unknown) => {
      signal.throwIfAborted();
      throw refuse(AiepError.is(error) ? error.message : String(error), error);
    });
    this.lines.push(
      `code package ${sha256.slice(0, 12)}: ${fileCount} ${fileCount === 1 ? "file" : "files"} unpacked into ${this.paths.code}`,
    );
  }

  private async placeIo(io: NonNullable<TaskSpec["io"]>): Promise<readonly OwnFolder[]> {
    const { staging, owner } = this;
    const { node, place } = this.input;
    const { artifacts } = this.deps;
    const { folders, lines } = await placeIo({ io, node, staging, place, artifacts, owner }, this.signal);
    this.lines.push(...lines);
    return folders;
  }

  private async place(material: NonNullable<TaskSpec["material"]>): Promise<void> {
    await placeMaterial(material, join(this.staging, "resource", material.filename), this.signal);
    const where = join(this.paths.resource, material.filename);
    this.lines.push(`material ${where}: sha256 ${material.sha256.slice(0, 12)} verified`);
  }

  private async writeScripts(mounts: readonly CheckedMount[]): Promise<void> {
    const { workload, node, place, ports } = this.input;
    const { spec } = workload;
    const { host } = this.deps;
    const { paths } = this;
    const seesTargets = host.namespaces;
    const seen = (path: string, own: string) => (seesTargets ? path : join(place.dir, own));
    const environment = nodeEnvironment({ workload, node, uid: place.uid, paths, ports, seen });
    const [start, command] = [join(paths.run, "start.sh"), join(paths.run, "command.sh")];

    await this.userScript("command.sh", `${spec.command}\n`);
    await this.userScript(
      "start.sh",
      renderStart({ identity: spec.identity, mounts, environment, workDir: paths.code, command }),
    );
    const root = host.namespaces ? await this.planRoot(mounts) : undefined;
    const memory = spec.roles.find(({ role }) => role === node.role)?.memory_gb ?? 0;
    const cgroup = memory > 0 ? host.memory?.create(place.uid, memory * GIB) : undefined;
    if (cgroup !== undefined) await writeFile(join(this.staging, NODE_FILES.group), cgroup);
    const inside = renderInside({
      identity: spec.identity,
      root,
      switchUser: host.switchUser,
      mounts,
      cgroup,
      start,
    });
    await writeFile(join(this.staging, NODE_FILES.inside), inside, { mode: 0o600 });
  }

  private async planRoot(mounts: readonly CheckedMount[]) {
    const { dir } = this.input.place;
    const path = join(dir, "root");
    const own = ["code", "resource", "home", "run"] as const;
    const names = this.input.workload.spec.io === undefined ? own : [...own, "left" as const];
    const binds = names.map((name) => ({
      from: join(dir, name),
      to: NEUTRAL[name],
    }));
    const plan = planRoot(path, binds, mounts);
    await writeFile(join(this.staging, NODE_FILES.fstab), plan.fstab, { mode: 0o600 });
    return { path, plan, fstab: join(dir, NODE_FILES.fstab) };
  }

  /** Readable by the task's user alone: it may hold secrets given as environment. */
  private async userScript(name: string, content: string): Promise<void> {
    const path = join(this.staging, "run", name);
    await writeFile(path, content, { mode: 0o400 });
    if (this.owner !== undefined) await chown(path, this.owner.uid, this.owner.gid);
  }
}
