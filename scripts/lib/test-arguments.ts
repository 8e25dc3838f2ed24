/**
 * `npm test -- task-svc` selects `task-svc` and `task-svc:integration`. An argument is a name when some project begins
 * with it and it does not follow an option, whose value it may be.
 */
export function vitestArguments(given: readonly string[], projects: readonly string[]): string[] {
  return given.flatMap((argument, index) => {
    const afterOption = /^-[^=]*$/.test(given[index - 1] ?? "");
    const isName = !argument.startsWith("-") && projects.some((name) => name.startsWith(argument));
    return isName && !afterOption ? ["--project", `${argument}*`] : [argument];
  });
}
