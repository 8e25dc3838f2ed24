import { randomHex } from "../random.ts";

/** UUIDv7: 48 bits of milliseconds, then random, so that ids sort by time (D6). */
export function newEventId(now: Date): string {
  const time = now.getTime().toString(16).padStart(12, "0");
  const random = randomHex(10);
  const variant = "89ab".charAt(Number.parseInt(random.charAt(3), 16) & 3);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`;
}
