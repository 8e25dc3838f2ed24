import type { CommandContext } from "../cli/command.ts";
import { EXIT } from "../cli/errors.ts";

/** The scripts ask the program itself for candidates, one a line with a tab before its description. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_aiepctl() {
  local line candidates=()
  while IFS= read -r line; do candidates+=("\${line%%$'\\t'*}"); done < <("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ \${candidates[0]} == ":files" ]]; then compopt -o default; COMPREPLY=(); return; fi
  COMPREPLY=($(compgen -W "\${candidates[*]}" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _aiepctl aiepctl aiep
`,
  zsh: `#compdef aiepctl aiep
_aiepctl() {
  local -a candidates
  local line
  while IFS= read -r line; do candidates+=("\${\${line//:/\\\\:}/$'\\t'/:}"); done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if [[ \${candidates[1]} == "\\\\:files" ]]; then _files; return; fi
  _describe 'aiepctl' candidates
}
compdef _aiepctl aiepctl aiep
`,
  fish: `function __aiepctl_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)
  if test "$found[1]" = ":files"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\\n' $found
  end
end
complete -c aiepctl -f -a '(__aiepctl_complete)'
complete -c aiep -f -a '(__aiepctl_complete)'
`,
};

export function run({ args, terminal }: CommandContext): Promise<number> {
  terminal.out(SCRIPTS[args[0] ?? ""] ?? "");
  return Promise.resolve(EXIT.ok);
}
