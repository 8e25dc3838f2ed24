/**
 * Small boolean algebra for `depends` (argo-workflow section 2): just enough to write a trigger rule over the phases of
 * tasks exactly and to keep the text short. Values are built simplified: no constant, no duplicate inside a connective.
 */
export type Phase = "Succeeded" | "Failed" | "Errored" | "Skipped" | "Omitted";

export type Proposition =
  | { readonly kind: "constant"; readonly value: boolean }
  | { readonly kind: "phase"; readonly task: string; readonly phase: Phase }
  | { readonly kind: "not"; readonly of: Proposition }
  | { readonly kind: "and" | "or"; readonly parts: readonly Proposition[] };

export const TRUE: Proposition = { kind: "constant", value: true };
export const FALSE: Proposition = { kind: "constant", value: false };

export const phase = (task: string, name: Phase): Proposition => ({ kind: "phase", task, phase: name });

export function not(of: Proposition): Proposition {
  if (of.kind === "constant") return of.value ? FALSE : TRUE;
  if (of.kind === "not") return of.of;
  return { kind: "not", of };
}

export const and = (...parts: readonly Proposition[]): Proposition => connect("and", parts);
export const or = (...parts: readonly Proposition[]): Proposition => connect("or", parts);

function connect(kind: "and" | "or", given: readonly Proposition[]): Proposition {
  const absorbing = kind === "or";
  const parts = new Map<string, Proposition>();
  for (const part of given) {
    if (part.kind === "constant") {
      if (part.value === absorbing) return part;
      continue;
    }
    for (const each of part.kind === kind ? part.parts : [part]) parts.set(print(each), each);
  }
  const distinct = [...parts.values()];
  const [only, ...others] = distinct;
  if (only === undefined) return absorbing ? FALSE : TRUE;
  return others.length === 0 ? only : { kind, parts: distinct };
}

/** As Argo reads it. A constant has no spelling there: callers handle it. */
export function print(proposition: Proposition): string {
  switch (proposition.kind) {
    case "constant":
      return String(proposition.value);
    case "phase":
      return `${proposition.task}.${proposition.phase}`;
    case "not":
      return `!${bracketed(proposition.of)}`;
    case "and":
    case "or":
      return proposition.parts.map(bracketed).join(proposition.kind === "and" ? " && " : " || ");
  }
}

function bracketed(proposition: Proposition): string {
  return proposition.kind === "and" || proposition.kind === "or"
    ? `(${print(proposition)})`
    : print(proposition);
}

/** Characters of its text, roughly; without making the text. */
export function sizeOf(proposition: Proposition): number {
  switch (proposition.kind) {
    case "constant":
      return 5;
    case "phase":
      return proposition.task.length + 10;
    case "not":
      return 3 + sizeOf(proposition.of);
    case "and":
    case "or":
      return proposition.parts.reduce((sum, part) => sum + 6 + sizeOf(part), 0);
  }
}

/** Truth under given phases; the tests compare rules with the truth table by it. */
export function holds(proposition: Proposition, phaseOf: (task: string) => Phase): boolean {
  switch (proposition.kind) {
    case "constant":
      return proposition.value;
    case "phase":
      return phaseOf(proposition.task) === proposition.phase;
    case "not":
      return !holds(proposition.of, phaseOf);
    case "and":
      return proposition.parts.every((part) => holds(part, phaseOf));
    case "or":
      return proposition.parts.some((part) => holds(part, phaseOf));
  }
}
