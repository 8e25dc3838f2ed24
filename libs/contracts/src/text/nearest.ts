/** "Did you mean …?": the candidate nearest to what was written, or undefined when none is near enough to be helpful. */

/** Letters and digits alone: `cpuNum`, `cpu-num` and `CPU_NUM` are the same word. */
const plain = (word: string) => word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

/** Levenshtein distance with swaps of neighbours counting one; stops caring beyond 64 characters. */
export function editDistance(left: string, right: string): number {
  const a = left.slice(0, 64);
  const b = right.slice(0, 64);
  let twoBack: number[] = [];
  let back = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((back[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (back[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (twoBack[j - 2] ?? 0) + 1);
      row.push(best);
    }
    twoBack = back;
    back = row;
  }
  return back[b.length] ?? 0;
}

/** 0 is the same word; undefined is "not near". One word that begins the other is nearer than a misspelling. */
function distance(written: string, candidate: string): number | undefined {
  const a = plain(written);
  const b = plain(candidate);
  if (a === "" || b === "") return undefined;
  if (a === b) return 0;
  const edits = editDistance(a, b);
  if (edits === 1) return 1;
  if (Math.min(a.length, b.length) >= 3 && (b.startsWith(a) || a.startsWith(b))) return 1.5;
  return edits <= Math.max(1, Math.floor(Math.max(a.length, b.length) / 3)) ? edits : undefined;
}

export function nearest(written: string, candidates: Iterable<string>): string | undefined {
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of candidates) {
    const away = distance(written, candidate);
    if (away !== undefined && (best === undefined || away < best.distance))
      best = { candidate, distance: away };
  }
  return best?.candidate;
}
