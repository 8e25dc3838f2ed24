/**
 * Negative controls: each dependable mechanism can be switched off, in tests alone, to show that a named test notices.
 */
export const UNSAFE_SWITCHES = ["outbox", "inbox", "version-check", "deterministic-names"] as const;
export type UnsafeSwitch = (typeof UNSAFE_SWITCHES)[number];
export type UnsafeSwitches = ReadonlySet<UnsafeSwitch>;

export const ALL_SAFE: UnsafeSwitches = new Set();

/** Reads AIEP_UNSAFE_DISABLE; refuses it outside AIEP_ENV=test, and refuses unknown words. */
export function unsafeSwitches(environment: string, disable: string | undefined): UnsafeSwitches {
  if (disable === undefined || disable === "") return ALL_SAFE;
  if (environment !== "test") throw new TypeError("AIEP_UNSAFE_DISABLE is honoured only with AIEP_ENV=test");
  return new Set(disable.split(",").map(unsafeSwitch));
}

function unsafeSwitch(word: string): UnsafeSwitch {
  const found = UNSAFE_SWITCHES.find((each) => each === word.trim());
  if (found === undefined) {
    throw new TypeError(`AIEP_UNSAFE_DISABLE: ${word} is none of ${UNSAFE_SWITCHES.join(", ")}`);
  }
  return found;
}
