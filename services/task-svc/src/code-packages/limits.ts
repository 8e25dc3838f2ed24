/** What a code package may be at most. The size of the zip itself is configured, the rest are the platform's own bounds. */
export interface CodePackageLimits {
  readonly zipBytes: number;
  readonly entries: number;
  /** Of all files together, unpacked. */
  readonly unpackedBytes: number;
  /** Unpacked to packed size of one file; asked only of files of at least `ratioFromBytes` unpacked. */
  readonly ratio: number;
  readonly ratioFromBytes: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_CODE_PACKAGE_LIMITS: CodePackageLimits = {
  zipBytes: 100 * MIB,
  entries: 20_000,
  unpackedBytes: 1024 * MIB,
  ratio: 200,
  ratioFromBytes: 10 * MIB,
};

/** "100 MB", as people say it. */
export function sizeText(bytes: number): string {
  if (bytes >= MIB) return `${Math.round(bytes / MIB)} MB`;
  return bytes >= 1024 ? `${Math.round(bytes / 1024)} KB` : `${bytes} bytes`;
}
