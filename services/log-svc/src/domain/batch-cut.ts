/** Where a batch ends (L1, L2): after the last whole line that fits. */
const NEWLINE = 0x0a;

/**
 * Length of the next batch from `bytes`; 0 when no line is whole yet. `closed`: nothing will be appended, the rest is a
 * batch too. `full`: there is more behind `bytes`, so a line that does not fit is cut.
 */
export function batchLength(bytes: Uint8Array, state: { closed: boolean; full: boolean }): number {
  const newline = bytes.lastIndexOf(NEWLINE);
  if (newline >= 0 && !(state.closed && !state.full)) return newline + 1;
  return state.closed || state.full ? bytes.length : 0;
}
