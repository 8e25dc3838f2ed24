/** Cutting text without cutting characters. */

/** The largest cut in `[start, end]` that does not split a character; `end` itself when the bytes there are no UTF-8. */
export function utf8Cut(bytes: Uint8Array, start: number, end: number): number {
  for (let at = end - 1; at >= start && at >= end - 4; at -= 1) {
    const byte = bytes[at] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue; // inside a character
    return at + characterLength(byte) > end ? at : end;
  }
  return end;
}

function characterLength(lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}
