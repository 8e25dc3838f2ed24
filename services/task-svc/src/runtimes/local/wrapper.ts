/**
 * The three small `sh` scripts that run a node and outlive task-svc (D14). They only create files in the node's folder;
 * node-files.ts reads them.
 *
 *   wrapper  claims the node, runs `inside`, leaves the exit code in a file
 *   inside   as whoever task-svc is: namespaces, folders in their places, then `start` as the task's user
 *   start    as the task's user: proves identity and rights, sets the environment, becomes the command
 *
 * W1 `claim` is made by link(2), whole or not at all and by one wrapper only: the command never runs twice (I3).
 * W2 `inner` is written before `stop` is looked for, and whoever stops writes `stop` before it looks for `inner`: one of
 *    them sees the other (R3, I9).
 * W3 with a PID namespace the kernel ends everything of the node when `inside` ends, whatever it did to get away (I10).
 * W4 nothing of the user's (environment, folders) has effect before the change of user: `inside` runs with a bare
 *    environment and works on folders by file descriptor, not by names that a user could swap meanwhile.
 */

import { PLATFORM_LINE_PREFIX, type TaskSpec } from "@aiep/contracts";
import { NODE_FILES } from "./layout.ts";
import type { RootPlan } from "./root-plan.ts";
import { quote } from "./shell.ts";
import type { CheckedMount } from "./storage.ts";

/** Own PATH of the scripts; /usr/local is the machine owner's, but not needed. */
export const WRAPPER_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

/** Exit code of a wrapper's own failure; the `state` file says what it was. */
const PLATFORM_FAILURE = 125;

/** Of a node whose first process was killed before it could say how the command ended. */
const KILLED = 137;

/** `sh -c WRAPPER aiep-node <inside.sh> <platform line or ""> <unshare command or "">`, in the node's folder. */
export const WRAPPER = `
trap : TERM INT HUP
inside=$1 note=$2 unshare=$3
read -r line </proc/self/stat
set -- $line
read -r boot </proc/sys/kernel/random/boot_id
printf '%s %s %s\\n' "$1" "\${22}" "$boot" >"claim.$1" || exit ${PLATFORM_FAILURE}
ln "claim.$1" ${NODE_FILES.claim} 2>/dev/null || exit 0
$unshare sh "$inside" "$note"
code=
read -r code <result || code=${KILLED}
printf '%s\\n' "$code" >exit.tmp && mv exit.tmp ${NODE_FILES.exit}
`;

const COMMON = `
say() { printf '${PLATFORM_LINE_PREFIX}%s\\n' "$1"; }
refuse() {
  printf 'refused %s %s\\n' "$1" "$2" >&3
  say "$2"
  exit ${PLATFORM_FAILURE}
}
`;

export interface InsideInput {
  readonly identity: TaskSpec["identity"];
  /** With root's help: namespaces of its own. Without: links. */
  readonly root: { readonly path: string; readonly plan: RootPlan; readonly fstab: string } | undefined;
  readonly switchUser: boolean;
  readonly mounts: readonly CheckedMount[];
  /** Folder of a memory cgroup for the command. */
  readonly cgroup: string | undefined;
  /** `start.sh` as it is found once the folders are in place. */
  readonly start: string;
}

export function renderInside(input: InsideInput): string {
  const { identity, root, switchUser, cgroup, start } = input;
  const { uid, gid } = identity;
  const endAll =
    root === undefined ? '{ kill -s TERM -- "-$child" || kill -s TERM "$child"; }' : "kill -s TERM -- -1";
  const asUser = switchUser ? `setpriv --reuid ${uid} --regid ${gid} --clear-groups --no-new-privs ` : "";
  return `${COMMON}
exec 3>>${NODE_FILES.state} 4>result 5<.
stopping=
child=
end_all() { stopping=1; [ -z "$child" ] || ${endAll} 2>/dev/null; }
trap end_all TERM
read -r line </proc/self/stat
note=$1
set -- $line
read -r boot </proc/sys/kernel/random/boot_id
printf '%s %s %s\\n' "$1" "\${22}" "$boot" >${NODE_FILES.inner}
[ ! -e ../stop ] || exit ${PLATFORM_FAILURE}
[ -z "$note" ] || say "$note"
umask 022
${root === undefined ? "" : renderMounts(root, input.mounts)}
(
${cgroup === undefined ? "" : `  echo 0 2>/dev/null >${quote(`${cgroup}/cgroup.procs`)} || say "the memory limit could not be set"`}
  # W2 again: a SIGTERM between fork and here went to a handler that is no more.
  [ ! -e /proc/self/fd/5/../stop ] || exit ${PLATFORM_FAILURE}
  exec 4>&- 5<&-
  exec ${root === undefined ? "setsid " : ""}${asUser}env --default-signal=INT,QUIT /bin/sh ${quote(start)}
) &
child=$!
[ -z "$stopping" ] || end_all
code=0
while :; do
  wait "$child"
  code=$?
  kill -s 0 "$child" 2>/dev/null || break
done
# A wait that a SIGTERM cut short says 143; asked again, it says how the command ended, or 127 when that was told before.
wait "$child" 2>/dev/null
again=$?
[ "$again" -eq 127 ] || code=$again
${root === undefined ? 'kill -s KILL -- "-$child" 2>/dev/null' : ""}
printf '%s\\n' "$code" >&4
`;
}

function renderMounts(root: NonNullable<InsideInput["root"]>, mounts: readonly CheckedMount[]): string {
  const { plan } = root;
  const failed = 'refuse LaunchFailed "the node\'s own root folder could not be made; see the lines before"';
  const folders = plan.folders
    .filter(({ mode }) => mode === 0o755)
    .map(({ path }) => quote(root.path + path));
  const special = plan.folders.filter(({ mode, uid, gid }) => mode !== 0o755 || uid !== 0 || gid !== 0);
  const quotedRoot = quote(root.path);
  const lines = [
    `mount -n -t tmpfs -o mode=755 aiep ${quotedRoot} || ${failed}`,
    ...special.map((folder) => `${makeFolder(root.path, folder)} || ${failed}`),
    `mkdir -p ${folders.join(" ")} || ${failed}`,
    ...copyLinks(root.path, plan.links, failed),
    ...plan.files.map((path) => `: >${quote(root.path + path)} || ${failed}`),
    `mount -a -T ${quote(root.fstab)} || ${failed}`,
    ...mounts.map((mount, at) => {
      const what = `refuse MountRefused ${quote(`${mount.source} cannot be mounted: it changed while the task started.`)}`;
      const side = quote(`${root.path}/aiep/.mounts/${at}`);
      const options = mount.readOnly ? "bind,ro" : "bind";
      return `cd -P -- ${quote(mount.hostPath)} && [ "$(pwd -P)" = ${quote(mount.hostPath)} ] && mount -c -o ${options} . ${side} || ${what}`;
    }),
    // From here on names mean what the task sees; the files of the node's folder stay open or are below /aiep/run.
    `cd ${quotedRoot} && pivot_root . aiep/.host || ${failed}`,
    ...mounts.map((mount, at) => {
      const what = `refuse MountRefused ${quote(`${mount.target} cannot be mounted on: ${mount.targetExists ? "it changed while the task started" : "the folder does not exist there; create it on the storage first"}.`)}`;
      return `cd -P -- ${quote(mount.realTarget)} && [ "$(pwd -P)" = ${quote(mount.realTarget)} ] && mount -c -o bind /aiep/.mounts/${at} . || ${what}`;
    }),
    `cd / && umount -n -l /aiep/.host || ${failed}`,
  ];
  return lines.join("\n");
}

function makeFolder(root: string, { path, mode, uid, gid }: RootPlan["folders"][number]): string {
  const folder = quote(root + path);
  const make = `mkdir -p -m ${mode.toString(8)} ${folder}`;
  return uid === 0 && gid === 0 ? make : `${make} && chown ${uid}:${gid} ${folder}`;
}

/** One `cp` per folder that has links. */
function copyLinks(root: string, links: readonly string[], failed: string): string[] {
  const byFolder = Map.groupBy(links, (path) => path.slice(0, path.lastIndexOf("/") + 1));
  return [...byFolder].map(
    ([folder, paths]) => `cp -P ${paths.map(quote).join(" ")} ${quote(root + folder)} || ${failed}`,
  );
}

export interface StartInput {
  readonly identity: TaskSpec["identity"];
  readonly mounts: readonly CheckedMount[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workDir: string;
  readonly command: string;
}

export function renderStart(input: StartInput): string {
  const { identity, mounts, environment, workDir, command } = input;
  const { uid, gid } = identity;
  const checks = mounts.map((mount) => {
    const target = quote(mount.target);
    const may = (test: string, what: string) =>
      `[ ${test} ] || refuse MountRefused ${quote(`${mount.target} (${mount.source}) may not be ${what} by uid ${uid}, gid ${gid}; ask the owner of the folder, or change its rights.`)}`;
    const access = mount.readOnly
      ? `[ ! -w ${target} ] || refuse MountRefused ${quote(`${mount.target} was asked for read-only and can be written.`)}`
      : may(`-w ${target}`, "written");
    const mode = mount.readOnly ? "read-only" : "read and write";
    return `${may(`-d ${target} ] && [ -r ${target} ] && [ -x ${target}`, "read")}
${access}
say ${quote(`mount ${mount.target}: ${mount.source}, ${mode}, rights checked`)}`;
  });
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)}`);
  return `${COMMON}
while read -r key real _; do
  case $key in Uid:) uid=$real ;; Gid:) gid=$real ;; esac
done </proc/self/status
[ "$uid:$gid" = ${uid}:${gid} ] || refuse IdentityRefused ${quote(`The command should run as uid ${uid}, gid ${gid}, and the switch did not happen.`)}
say ${quote(`identity ${identity.user}: uid ${uid}, gid ${gid}`)}
${checks.join("\n")}
cd -- ${quote(workDir)} || refuse IdentityRefused ${quote(`uid ${uid} cannot enter its own working folder; the folders above the platform's state folder must be open to other users.`)}
say "command started"
echo running >&3
exec 3>&-
unset OLDPWD
${exports.join("\n")}
exec /bin/sh ${quote(command)}
`;
}
