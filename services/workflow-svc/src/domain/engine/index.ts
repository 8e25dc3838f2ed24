/**
 * The engine's core. In use:
 *
 *   buildRunGraph(input: GraphInput): { ok: true; graph } | { ok: false; problem }   graph.ts: mode, selection, carried nodes
 *   newRun(graph): Run                                                               run.ts
 *   advance(run, facts, now, env): Advance<Input>                                    advance.ts
 *   outstanding(run): Decision<never>[]                                              advance.ts, after a rebuild: stops
 *   runColumns(phase), nodeView(record), records(run), rebuild(graph, snapshot)      view.ts, run.ts
 *   statusEvents(identity, before, advance), replay(graph, events)                   replay.ts
 */
