/** Refusals of admission (D15): a stable code, where it is in the body, the rule in a sentence, and who can change it. */
import { AiepError, type Directory, type DirectoryGroup, type ErrorCode } from "@aiep/contracts";

export interface Refusal {
  readonly code: ErrorCode;
  /** Code of the field in `errors`: the refusal's own unless the rule has a finer word. */
  readonly field: string;
  /** RFC 6901 pointer into the request body; "" when no field is to blame. */
  readonly pointer: string;
  readonly detail: string;
  /** Who can change it, as the end of "Ask …" or what the sender does. */
  readonly hint: string;
  /** More members of the problem document. */
  readonly extensions: Readonly<Record<string, unknown>>;
}

/** Never empty. */
export type Refusals = readonly [Refusal, ...Refusal[]];

export interface RefusalExtras {
  readonly field?: string;
  readonly extensions?: Readonly<Record<string, unknown>>;
}

export function refusal(
  code: ErrorCode,
  pointer: string,
  detail: string,
  hint: string,
  { field = code, extensions = {} }: RefusalExtras = {},
): Refusal {
  return { code, field, pointer, detail, hint, extensions };
}

const MAX_NAMED = 3;

/** Whom to ask (A1 of admission). */
export const whoCanChange = {
  sender: "Correct the field and submit again.",
  group: (group: DirectoryGroup): string => `Ask ${group.admin}, who administers the group ${group.name}.`,
  platform: (directory: Directory): string => {
    const names = directory.users.filter((user) => user.roles.includes("admin")).map((user) => user.name);
    return names.length === 0
      ? "Ask the platform administrators."
      : `Ask a platform administrator: ${names.slice(0, MAX_NAMED).join(", ")}.`;
  },
};

/** What is answered first when several rules refuse: standing, then shape, then rights, then things unknown. */
const SEVERITY: readonly ErrorCode[] = [
  "UNKNOWN_USER",
  "NOT_A_MEMBER",
  "VIEWER_ONLY",
  "GROUP_REQUIRED",
  "VALIDATION_FAILED",
  "RESERVED_FIELD",
  "NAMESPACE_NOT_BOUND",
  "PROXY_USER_UNKNOWN",
  "STORAGE_NOT_OWNED",
  "IMAGE_UNKNOWN",
  "GPU_TYPE_UNKNOWN",
  "QUOTA_EXCEEDED",
  "MATERIAL_UNKNOWN",
  "CODE_PACKAGE_NOT_FOUND",
];

const severity = (code: ErrorCode): number => {
  const at = SEVERITY.indexOf(code);
  return at === -1 ? SEVERITY.length : at;
};

/** The one error for all refusals: the gravest speaks, `errors` lists every one, gravest first. */
export function refusalError(refusals: Refusals): AiepError {
  const sorted = [...refusals].sort((a, b) => severity(a.code) - severity(b.code));
  const first = sorted[0] ?? refusals[0];
  const more = sorted.length === 1 ? "" : ` (and ${sorted.length - 1} more, see errors)`;
  return new AiepError(first.code, `${first.detail}${more}`, {
    hint: first.hint,
    errors: sorted.map(({ pointer, field, detail, hint }) => ({
      pointer,
      code: field,
      detail: `${detail} ${hint}`,
    })),
    extensions: first.extensions,
  });
}
