/**
 * Directories and values between tasks, in a pod: what the two scripts do about them.
 *
 *   placing  in the prepare container: fetches each directory, checks its digest, unpacks it; makes the folders for what
 *            is left, and copies its static busybox, because a user's image need not have tar or a way to send
 *   leaving  in worker-0, after its command ended with 0: packs what was left and sends it, again and again while the
 *            platform does not answer; the platform's lines or its refusal are the answer
 *
 * All of it lies in the pod's own volume, bound to where the command looks for it.
 */
import { relative } from "node:path";
import type { TaskIo } from "@aiep/contracts";
import type { V1VolumeMount } from "@kubernetes/client-node";
import { expectsOutputs } from "../../../artifacts/left.ts";
import { quote } from "../../local/shell.ts";
import { IO_PATHS, PATHS } from "./environment.ts";

/** Where worker-0 sends what it left. */
export interface Sending {
  readonly url: string;
  readonly token: string;
}
export const SENDING_VARIABLE = "AIEP_SENDING_TOKEN";

const BUSYBOX = `${PATHS.run}/busybox`;
/** Together some ten minutes: a platform that is being restarted or moved is back by then. */
const PAUSES = "1 2 4 8 15 30 60 60 60 60 60 60 60 60 60 0";
/** Of one attempt: whoever answered nothing for so long has gone without a word. */
const ATTEMPT_SECONDS = 3600;

export function ioMounts(io: TaskIo | undefined, volume: string): V1VolumeMount[] {
  const mount = (from: string, readOnly: boolean) => {
    return ({ name, path }: { readonly name: string; readonly path: string }): V1VolumeMount => ({
      name: volume,
      mountPath: path,
      subPath: `${relative(PATHS.root, from)}/${name}`,
      readOnly,
    });
  };
  return [
    ...(io?.input_directories ?? []).map(mount(IO_PATHS.given, true)),
    ...(io?.output_directories ?? []).map(mount(IO_PATHS.left, false)),
  ];
}

/** Uses `fetch`, `sum`, `say` and `refuse` of the prepare script. */
export function placingLines(io: TaskIo, url: string | undefined): string[] {
  const folders = [
    ...io.input_directories.map(({ name }) => `${IO_PATHS.given}/${name}`),
    ...io.output_directories.map(({ name }) => `${IO_PATHS.left}/${name}`),
  ];
  const archive = `${PATHS.run}/given.tar`;
  const lines = [`mkdir -p ${IO_PATHS.left} ${folders.join(" ")} || exit 125`];
  if (expectsOutputs(io)) lines.push(`cp "$(which busybox || echo /proc/$$/exe)" ${BUSYBOX} || :`);
  for (const { name, digest, path } of url === undefined ? [] : io.input_directories) {
    const sha256 = digest.slice("sha256:".length);
    const no = (why: string) =>
      quote(`The directory ${name} cannot be placed: ${why}; run the task that left it again.`);
    lines.push(
      `fetch ${quote(`${url}/${sha256}`)} ${archive} || refuse InputsInvalid ${no(`${digest} could not be fetched from the platform, or is not kept there any more`)}
[ "$(sum ${archive})" = ${sha256} ] || refuse InputsInvalid ${no("its content is not what was left")}
tar -xf ${archive} -C ${IO_PATHS.given}/${name} || refuse InputsInvalid ${no("it cannot be unpacked")}
rm ${archive}
say ${quote(`directory ${name}: ${digest.slice(0, 19)} placed at ${path}`)}`,
    );
  }
  return lines;
}

/** Before the command: the token is none of its business. */
export const TAKE_TOKEN = `sending_token=$${SENDING_VARIABLE}
unset ${SENDING_VARIABLE}`;

/** After the command, with its exit code in `code`. Uses `say` and `refuse` of the start script. */
export function leavingScript(url: string): string {
  const { protocol, hostname, port, host, pathname } = new URL(url);
  const secure = protocol === "https:";
  const { run } = PATHS;
  const [answer, pipe, trouble] = [`${run}/answer`, `${run}/pipe`, `${run}/trouble`];
  const address = hostname.replace(/^\[|\]$/g, "");
  return `
# Each way leaves the HTTP status in $status and what was answered in ${answer}.
by_nc() {
  $bb rm -f ${pipe} && $bb mkfifo ${pipe} || return
  $bb timeout ${ATTEMPT_SECONDS} $bb nc -w 10 ${quote(address)} ${port || 80} <${pipe} >${answer} 2>/dev/null &
  nc=$!
  exec 3>${pipe}
  (
    printf 'POST %s HTTP/1.1\\r\\nHost: %s\\r\\nAuthorization: Bearer %s\\r\\nContent-Length: %s\\r\\nConnection: close\\r\\n\\r\\n' ${quote(pathname)} ${quote(host)} "$sending_token" "$size"
    $bb tar -cf - .
  ) >&3 2>/dev/null
  wait "$nc"
  exec 3>&-
  { read -r _ status _; while read -r line && [ "$line" != "$cr" ]; do :; done; $bb cat; } <${answer} >${answer}.text
  $bb mv ${answer}.text ${answer}
}
by_curl() {
  status=$($bb tar -cf - . 2>/dev/null | curl -sS -m ${ATTEMPT_SECONDS} -X POST -T - -H "Authorization: Bearer $sending_token" -H Expect: -o ${answer} -w '%{http_code}' ${quote(url)} 2>/dev/null)
}
by_python() {
  status=$($bb tar -cf - . 2>/dev/null | TOKEN=$sending_token SIZE=$size python3 -c '
import http.client, os, shutil, sys, urllib.parse
url = urllib.parse.urlsplit(sys.argv[1])
kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
to = kind(url.hostname, url.port, timeout=${ATTEMPT_SECONDS})
to.request("POST", url.path, sys.stdin.buffer, {"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Length": os.environ["SIZE"]})
got = to.getresponse()
with open(sys.argv[2], "wb") as file: shutil.copyfileobj(got, file)
print(got.status)
' ${quote(url)} ${answer} 2>/dev/null)
}
leave() {
  kill -s KILL -- -1 2>/dev/null # nobody writes any more
  cd ${IO_PATHS.left} || refuse OutputsInvalid "What it left cannot be entered."
  bb=${BUSYBOX}
  $bb true 2>/dev/null || bb=
  cr=$(printf '\\r')
  size=$($bb tar -cf - . 2>${trouble} | $bb wc -c)
  [ ! -s ${trouble} ] || refuse OutputsInvalid "What it left cannot be packed: $($bb head -n 1 ${trouble})"
  size=$((size))
  for pause in ${PAUSES}; do
    for way in ${secure ? "" : "by_nc "}by_curl by_python; do
      status=
      : >${answer}
      $way
      [ -z "$stopping" ] || exit 143
      case $status in
        200)
          while read -r line; do say "$line"; done <${answer}
          return ;;
        422) refuse OutputsInvalid "$($bb cat ${answer})" ;;
        401 | 403 | 404) refuse OutputsInvalid "The platform does not take what it left: the task was stopped, or its run limit is over." ;;
      esac
    done
    [ "$pause" = 0 ] || { say "what it left could not be sent; again in $pause s"; $bb sleep "$pause"; }
    [ -z "$stopping" ] || exit 143
  done
  refuse OutputsInvalid "What it left could not be sent to the platform; submit the task again, and tell a platform administrator."
}
[ "$code" -ne 0 ] || [ "$AIEP_NODE" != worker-0 ] || [ -n "$stopping" ] || leave`;
}
