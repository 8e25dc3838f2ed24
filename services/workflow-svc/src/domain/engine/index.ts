/**
 * The engine's core. In use:
 *
 *   buildRunGraph(input: GraphInput): { ok: true; graph } | { ok: false; problem }   graph.ts: mode, selection, carried nodes
 *   newRun(graph): Run                                                               run.ts
 *   advance(run, facts, now, env): Advance<Input>                                    advance.ts
 *   outstanding(run, env): Decision<Input>[]                                         advance.ts, after a rebuild
 *   runRow(run.phase), nodeRow(record), snapshot(run), rebuild(graph, snapshot)      rows.ts
 *   statusEvents(identity, run, advance), replay(graph, events)                      replay.ts
 */
