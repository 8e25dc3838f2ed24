/** Randomness from the system in larger pieces: asking it for the 16 bytes of one id costs more than the rest of the id. */
import { randomFillSync } from "node:crypto";

const pool = Buffer.alloc(4096);
let used = pool.length;

/** Twice as many random hex digits; at most 4096 bytes. No piece of the pool is given out twice. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString("hex", used - bytes, used);
}
