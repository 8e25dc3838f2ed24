/** Headers of a stored message as they were written, without the broker's own. */
export function toHeaders(
  stored: Iterable<readonly [string, readonly string[]]>,
): Readonly<Record<string, string>> {
  const own = [...stored].filter(([name]) => !name.toLowerCase().startsWith("nats-"));
  return Object.fromEntries(own.map(([name, values]) => [name, values[0] ?? ""]));
}
