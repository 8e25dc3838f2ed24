/** What a reader makes of a CRI log: the bytes of each stream, pieces joined. Throws on anything that is not CRI. containerd leaves zeros at the end of a fraction out. */
import type { LogStream } from "../cri.ts";

export function decodeCri(log: Buffer): Record<LogStream, Buffer> {
  const parts: Record<LogStream, Buffer[]> = { stdout: [], stderr: [] };
  const open: Record<LogStream, boolean> = { stdout: false, stderr: false };
  for (let at = 0; at < log.length; ) {
    const newline = log.indexOf(10, at);
    if (newline === -1) throw new Error("the log ends inside a line");
    const line = log.subarray(at, newline + 1);
    const head = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z) (stdout|stderr) ([PF]) /.exec(
      line.subarray(0, 45).toString("latin1"),
    );
    if (head === null) throw new Error(`not a CRI line: ${line.subarray(0, 60).toString("latin1")}`);
    const stream: LogStream = head[2] === "stdout" ? "stdout" : "stderr";
    const partial = head[3] === "P";
    parts[stream].push(line.subarray(head[0].length, partial ? -1 : undefined));
    open[stream] = partial;
    at = newline + 1;
  }
  // containerd marks a last line without end as a piece of one.
  for (const stream of ["stdout", "stderr"] as const) if (open[stream]) parts[stream].push(Buffer.from("\n"));
  return { stdout: Buffer.concat(parts.stdout), stderr: Buffer.concat(parts.stderr) };
}
