import type { CommandContext } from "../cli/command.ts";
import { EXIT } from "../cli/errors.ts";

/** The scripts ask the program itself for candidates, one a line with a tab before its description. */
const SCRIPTS: Readonly<Record<string, string>> = {
  // Bash cuts words at "=": the pieces of --option=value are one word again, and only the value is answered.
  bash: `_aiepctl() {
  local line word option= words=() candidates=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ \${#words[@]} -gt 0 && ( $word == "=" || \${words[-1]} == *= ) ]]; then words[-1]+=$word; else words+=("$word"); fi
  done
  if [[ \${words[-1]} == --*=* ]]; then option=\${words[-1]%%=*}=; fi
  while IFS= read -r line; do candidates+=("\${line%%$'\\t'*}"); done < <("\${COMP_WORDS[0]}" __complete -- "\${words[@]}" 2>/dev/null)
  if [[ \${candidates[0]} == ":files" ]]; then compopt -o default; COMPREPLY=(); return; fi
  COMPREPLY=($(compgen -W "\${candidates[*]#"$option"}" -- "\${words[-1]#"$option"}"))
}
complete -F _aiepctl aiepctl aiep
`,
  zsh: `#compdef aiepctl aiep
_aiepctl() {
  local -a candidates
  local line
  while IFS= read -r line; do candidates+=("\${\${line//:/\\\\:}/$'\\t'/:}"); done < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if [[ \${candidates[1]} == "\\\\:files" ]]; then compset -P "--*="; _files; return; fi
  _describe 'aiepctl' candidates
}
compdef _aiepctl aiepctl aiep
`,
  fish: `function __aiepctl_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)
  if test "$found" = ":files"
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
