/** Now, as CRI writes time: RFC 3339 in UTC with nine fractional digits. The wall clock gives three of them. */
export function logTimeNow(): string {
  return `${new Date().toISOString().slice(0, -1)}000000Z`;
}
