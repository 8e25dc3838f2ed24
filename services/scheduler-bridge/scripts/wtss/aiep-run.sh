#!/bin/sh
# Runs one experiment of AIEP for one execution of the scheduler: triggers it, shows how its nodes come along, waits for its end
# and ends alike. Needs a POSIX sh, curl, and sleep. What it and the server say to each other: protocol.ts of the scheduler bridge.
#
#   sh aiep-run.sh execution=ID attempt=N run_date=DAY [=VALUE …]      the values that settings.sh puts into the parameters
#
# Secrets are in no argument of a process: curl reads its orders from standard input. The scheduler replaces names of letters
# in braces in this file before it starts, so no variable is written like that here.
set -uf
umask 077
LC_ALL=C
export LC_ALL

here=${0%/*}
[ "$here" != "$0" ] || here=.
. "$here/hmac.sh"
. "$here/settings.sh"
answer_file=$here/aiep-answer.$$

say() { printf '[aiep] %s\n' "$1"; }

# --- What the scheduler passes on ----------------------------------------------------------------------------------------------

give_up() {
  say "$2"
  exit "$1"
}

case ${1-}/${2-}/${3-} in
  execution=*/attempt=*/run_date=*) ;;
  *) give_up 2 'the job is not started as it was published: publish it again' ;;
esac
execution=${1#execution=} attempt=${2#attempt=} day=${3#run_date=}
shift 3
case $attempt in '' | *[!0-9]*) give_up 2 "the scheduler's attempt is no number: $attempt" ;; esac
case $execution in '' | *[!0-9A-Za-z_-]*) give_up 2 "the scheduler's execution is no id: $execution" ;; esac
[ -w "$here" ] || give_up 2 "the job may not write in its own folder, $(pwd)"
command -v curl >/dev/null || give_up 2 'curl is not on this executor: have it installed'

# --- The body of the trigger ---------------------------------------------------------------------------------------------------

# json_text TEXT: as it stands in a string of JSON, in $json.
json_text() {
  left=$1 json=''
  while [ -n "$left" ]; do
    tail=${left#?}
    char=${left%"$tail"} left=$tail
    case $char in
      '"' | \\) json=$json\\$char ;;
      [\ -~]) json=$json$char ;;
      *) json_unprintable "$char" ;;
    esac
  done
}

# A control character, or a byte of a longer one.
json_unprintable() {
  code_of "$1"
  if [ "$code" -lt 32 ]; then json=$json$(printf '\\u%04x' "$code"); else json=$json$1; fi
}

body='{"execution":"'$execution'","attempt":'$attempt',"version_name":"'$aiep_version'"'
if [ -n "$day" ]; then
  json_text "$day"
  body=$body',"run_date":"'$json'"'
fi
add_parameters "$@"
body=$body'}'

# --- Requests ------------------------------------------------------------------------------------------------------------------

child='' # what we wait for just now

# request METHOD PATH SECONDS [LINES FOR CURL]: the status is then in $status, 000 for anything but a whole answer; the answer
# and a last line with the status are in the file. In the background, so that a signal is heard at once.
request() {
  curl -q --config - >"$answer_file" 2>/dev/null <<END &
silent
url = "$aiep_base$2"
request = "$1"
connect-timeout = 10
max-time = $3
header = "accept: text/plain"
write-out = "\n%{http_code}\n"
${4-}
END
  child=$!
  status=000
  if wait "$child"; then
    while read -r last_line; do status=$last_line; done <"$answer_file"
  fi
  child=''
}

# answer_line WORD: the rest of the answer's last line that begins with the word, in $value.
answer_line() {
  value=''
  while IFS= read -r each_line; do
    case $each_line in "$1 "*) value=${each_line#"$1 "} ;; esac
  done <"$answer_file"
}

# 0: the answer counts; 1: nobody could answer, try again. A refusal is the end.
judge() {
  case $status in
    2??) return 0 ;;
    000 | 408 | 425 | 429 | 5??) return 1 ;;
  esac
  reason=''
  while IFS= read -r each_line; do
    case $each_line in *'"detail":"'*) reason=${each_line#*'"detail":"'} reason=${reason%%'"'[,\}]*} ;; esac
  done <"$answer_file"
  give_up 1 "AIEP refuses $1 (HTTP $status). $reason"
}

# --- Patience ------------------------------------------------------------------------------------------------------------------

calm() { delay=1 waited=0; }

# Before a request is made again; pauses grow up to 15 s, and differ between executors.
try_again() {
  [ "$waited" -gt 0 ] || say "AIEP does not answer ($1); asking again"
  [ "$waited" -lt "$aiep_patience" ] || give_up 75 "AIEP could not be reached for $waited s: $1"
  rest $((delay + $$ % 2))
  waited=$((waited + delay)) delay=$((delay * 2))
  [ "$delay" -le 15 ] || delay=15
}

# Holds nothing of the job open, should it be left behind.
rest() {
  sleep "$1" >/dev/null 2>&1 &
  child=$!
  wait "$child"
  child=''
}

# --- Being stopped -------------------------------------------------------------------------------------------------------------

# The scheduler kills either the whole tree, then nobody comes here and the server misses our waiting; or this shell alone.
stop() {
  trap '' TERM INT HUP
  [ -z "$child" ] || kill "$child" 2>/dev/null
  if [ -n "$fire_id" ]; then
    request POST "/v1/fires/$fire_id/cancel" 10 "header = \"aiep-wait-token: $wait_token\"
header = \"content-length: 0\""
    case $status in
      2??) say "stopped by the scheduler: run $run_id is being cancelled" ;;
      *) say "stopped by the scheduler: run $run_id ends when AIEP misses this job" ;;
    esac
  fi
  exit "$1"
}

fire_id=''
trap 'stop 143' TERM
trap 'stop 130' INT
trap 'stop 129' HUP

# --- Trigger -------------------------------------------------------------------------------------------------------------------

webhook_id=$aiep_publication.$execution.$attempt

# The body between the quotes of curl's configuration.
escaped=''
left=$body
while [ -n "$left" ]; do
  plain=${left%%[\"\\]*}
  left=${left#"$plain"}
  escaped=$escaped$plain
  [ -n "$left" ] || break
  tail=${left#?}
  escaped=$escaped\\${left%"$tail"}
  left=$tail
done

# One try. The same webhook id every time: the server knows what it has begun.
trigger() {
  request GET /v1/time 10
  judge 'to tell the time' || return 1
  read -r now <"$answer_file"
  case $now in '' | *[!0-9]*) return 1 ;; esac
  # shellcheck disable=SC2086 # a list of words
  hmac_base64 "$webhook_id.$now.$body" $aiep_key
  request POST "/v1/triggers/$aiep_publication" 60 "header = \"content-type: application/json\"
header = \"webhook-id: $webhook_id\"
header = \"webhook-timestamp: $now\"
header = \"webhook-signature: v1,$signature\"
data-binary = \"$escaped\""
  judge 'the trigger' || return 1
  answer_line run_id
  run_id=$value
  answer_line wait_token
  token=$value
  answer_line message
  message=$value
  answer_line fire_id
  case $run_id/$value in /* | */ | *[!0-9A-Za-z_/-]*) return 1 ;; esac
  case $token in '' | *[!0-9A-Za-z._~+/=-]*) return 1 ;; esac
  wait_token=$token fire_id=$value
}

calm
until trigger; do try_again "the trigger, HTTP $status"; done
printf '%s\n' "$message"

# --- Wait ----------------------------------------------------------------------------------------------------------------------

after=0

# One look, as long as the server holds it. Half an answer, without the number to go on from, counts for nothing.
follow() {
  request GET "/v1/fires/$fire_id/wait?after=$after" 60 "header = \"aiep-wait-token: $wait_token\""
  judge 'to be waited for' || return 1
  answer_line after
  case $value in '' | *[!0-9]*) return 1 ;; esac
  next=$value
  while IFS= read -r each_line; do
    case $each_line in 'line '*) printf '%s\n' "${each_line#line }" ;; esac
  done <"$answer_file"
  answer_line end
  case $value in
    succeeded*) give_up 0 "${value#succeeded }" ;;
    failed*) give_up 1 "${value#failed }" ;;
  esac
  [ "$next" -ne "$after" ] || rest 1
  after=$next
}

calm
while :; do
  if follow; then calm; else try_again "waiting, HTTP $status"; fi
done
