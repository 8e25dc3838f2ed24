/**
 * The two `sh` scripts of a pod. Both tell the platform's lines in the one recognisable form (D12), and a refusal in
 * the container's termination message, where the observer reads it: `refused <Reason> <sentence>`.
 *
 *   prepare  in an init container: looks whether the folders to be mounted are there, fetches code package and material,
 *            checks and unpacks them; its lines are kept in a file, so that the node's own log opens with them
 *   start    in the node's container, as its first process: proves identity and rights, exports what differs
 *            between nodes, runs the command, hands SIGTERM on to everything it started
 *
 * What both do about directories and values between tasks is in leave-script.ts.
 */
import { type NodeRole, PLATFORM_LINE_PREFIX, type TaskMode, type TaskSpec } from "@aiep/contracts";
import { quote } from "../../local/shell.ts";
import { PATHS } from "./environment.ts";
import { leavingScript, placingLines, TAKE_TOKEN } from "./leave-script.ts";
import type { Storage } from "./volumes.ts";

/** Exit code of a script's own refusal. */
export const PLATFORM_FAILURE = 125;
const LINES = `${PATHS.run}/lines`;

const REFUSE = `refuse() {
  printf 'refused %s %s' "$1" "$2" >/dev/termination-log
  say "$2"
  exit ${PLATFORM_FAILURE}
}`;

/** What the prepare container fetches; the token is in its environment. */
export interface Downloads {
  readonly code: { readonly url: string } | undefined;
  readonly material: { readonly url: string } | undefined;
  /** Directories of other tasks: the digest is added. */
  readonly given: { readonly url: string } | undefined;
}
export const TOKEN_VARIABLE = "AIEP_DOWNLOAD_TOKEN";

export function prepareScript(spec: TaskSpec, downloads: Downloads, folders: Storage["folders"]): string {
  const parts = [
    `umask 022
mkdir -p ${Object.values(PATHS).join(" ")} || exit ${PLATFORM_FAILURE}
say() { printf '${PLATFORM_LINE_PREFIX}%s\\n' "$1" | tee -a ${LINES}; }
${REFUSE}
fetch() {
  for pause in 1 2 4 8 0; do
    wget -O "$2" --header "Authorization: Bearer $${TOKEN_VARIABLE}" "$1" 2>${PATHS.run}/wget && return 0
    ! grep -qE ' 4[0-9][0-9]' ${PATHS.run}/wget || return 1 # the same answer again
    [ $pause = 0 ] || sleep $pause
  done
  return 1
}
sum() { set -- $(sha256sum <"$1"); printf %s "$1"; }`,
  ];
  // Only what is known to be missing: who may not look may still be let in by the kubelet.
  for (const { path, mount } of folders)
    parts.push(
      `! LC_ALL=C ls -d ${quote(path)} 2>&1 >/dev/null | grep -q 'No such file' || refuse MountRefused ${quote(`${mount.target} (${mount.source}) does not exist; create the folder, or correct data_info.`)}`,
    );
  const { code_package: code, material, io } = spec;
  if (io !== undefined) parts.push(...placingLines(io, downloads.given?.url));
  if (code !== null && downloads.code !== undefined) {
    const zip = `${PATHS.run}/code.zip`;
    const no = (why: string) => quote(`The code package ${code.id} cannot be used: ${why}`);
    parts.push(`fetch ${quote(downloads.code.url)} ${zip} || refuse CodePackageInvalid ${no("it could not be fetched from the platform; submit the task again, or upload it again.")}
[ "$(sum ${zip})" = ${code.sha256} ] || refuse CodePackageInvalid ${no("its file has changed since the upload; upload it again.")}
unzip -q -o ${zip} -d ${PATHS.code} || refuse CodePackageInvalid ${no("it cannot be unpacked; upload it again.")}
rm ${zip}
say "code package ${code.sha256.slice(0, 12)}: $(($(find ${PATHS.code} -type f | wc -l))) files unpacked into ${PATHS.code}"`);
  }
  if (material !== null && downloads.material !== undefined) {
    const file = `${PATHS.resource}/${material.filename}`;
    parts.push(`fetch ${quote(downloads.material.url)} ${quote(file)} || refuse MaterialInvalid ${quote(`The material ${material.filename} could not be fetched; ask its owner, or submit the task again.`)}
[ "$(sum ${quote(file)})" = ${material.sha256} ] || refuse MaterialInvalid ${quote(`The material ${material.filename} is not the registered one: its sha256 differs.`)}
say ${quote(`material ${file}: sha256 ${material.sha256.slice(0, 12)} verified`)}`);
  }
  return `${parts.join("\n")}\n`;
}

export interface StartInput {
  readonly mode: TaskMode;
  readonly role: NodeRole;
  readonly gpus: number;
  readonly identity: TaskSpec["identity"];
  readonly mounts: TaskSpec["mounts"];
  /** Where to send what worker-0 leaves, if anything. */
  readonly leavesAt: string | undefined;
}

/** Its arguments, put together, are the user's command. */
export function startScript({ mode, role, gpus, identity, mounts, leavesAt }: StartInput): string {
  const { uid, gid } = identity;
  const command = `${PATHS.run}/command.sh`;
  return `say() { printf '${PLATFORM_LINE_PREFIX}%s\\n' "$1"; }
${REFUSE}
umask 022
mkdir -p ${Object.values(PATHS).join(" ")} || refuse LaunchFailed "the node's own folders cannot be made"
[ ! -e ${LINES} ] || cat ${LINES}
printf '%s' "$@" >${command} || refuse LaunchFailed "the command cannot be written"
printf '\\n' >>${command}
while read -r key real rest; do
  case $key in Uid:) uid=$real ;; Gid:) gid=$real ;; esac
done </proc/self/status
[ "$uid:$gid" = ${uid}:${gid} ] || refuse IdentityRefused ${quote(`The command should run as uid ${uid}, gid ${gid}, and the switch did not happen.`)}
say ${quote(`identity ${identity.user}: uid ${uid}, gid ${gid}`)}
${mounts.map((mount) => mountCheck(mount, uid, gid)).join("\n")}
cd ${PATHS.code} || refuse IdentityRefused "uid ${uid} cannot enter its own working folder"
${nodeExports(mode, role, gpus)}${leavesAt === undefined ? "" : `\n${TAKE_TOKEN}`}
say "command started"
unset OLDPWD AIEP_POD_NAME key real rest gid
trap 'stopping=1; kill -s TERM -- -1 2>/dev/null' TERM
sh ${command} </dev/null &
child=$!
[ -z "$stopping" ] || kill -s TERM -- -1 2>/dev/null
while :; do
  wait "$child"
  code=$?
  kill -s 0 "$child" 2>/dev/null || break
done
# A wait that a SIGTERM cut short says 143; asked again, it says how the command ended, or 127 when that was told before.
wait "$child" 2>/dev/null
again=$?
[ "$again" -eq 127 ] || code=$again${leavesAt === undefined ? "" : leavingScript(leavesAt)}
exit "$code"
`;
}

function mountCheck(mount: TaskSpec["mounts"][number], uid: number, gid: number): string {
  const target = quote(mount.target);
  const may = (test: string, what: string) =>
    `[ ${test} ] || refuse MountRefused ${quote(`${mount.target} (${mount.source}) may not be ${what} by uid ${uid}, gid ${gid}, or did not exist; ask the owner of the folder, create it, or change its rights.`)}`;
  const lines = [may(`-d ${target} ] && [ -r ${target} ] && [ -x ${target}`, "read")];
  if (!mount.read_only) lines.push(may(`-w ${target}`, "written"));
  const access = mount.read_only ? "read-only" : "read and write";
  lines.push(`say ${quote(`mount ${mount.target}: ${mount.source}, ${access}, rights checked`)}`);
  return lines.join("\n");
}

/** One template serves all nodes of a role: who a node is, the operator's variables and the pod's name say. */
function nodeExports(mode: TaskMode, role: NodeRole, gpus: number): string {
  const perNode = `export PET_NPROC_PER_NODE=${Math.max(1, gpus)}`;
  switch (mode) {
    case "Standalone":
      return `${perNode}\nexport AIEP_NODE=worker-0`;
    case "DDP":
      return `${perNode}
export AIEP_NODE="worker-$RANK"
[ "$RANK" = 0 ] || say "the master $MASTER_ADDR runs"`;
    case "PS-Worker":
      return `export AIEP_NODE="${role}-\${AIEP_POD_NAME##*-}"`;
    default: {
      const unknown: never = mode;
      throw new TypeError(`unknown mode ${String(unknown)}`);
    }
  }
}
