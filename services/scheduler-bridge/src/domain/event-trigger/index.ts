/**
 * Event triggers (D25): an event of a group becomes a run. Pure.
 *
 *   event.ts      what an event is to a trigger
 *   pattern.ts    which types it looks at
 *   compile.ts    its expressions, checked when it is saved
 *   match.ts      one event → fire, no, or a problem
 *   guard.ts      what keeps triggers from feeding themselves
 *   trigger.ts    the trigger itself, and how it changes
 */
export {
  type CompiledTrigger,
  compileTrigger,
  type EventTriggerDefinition,
} from "./compile.ts";
export { EXTERNAL, type TriggerEvent } from "./event.ts";
export { type GuardInput, guardFire, MAX_DEPTH, type Upstream } from "./guard.ts";
export { type Match, matchTrigger } from "./match.ts";
export {
  createTrigger,
  deleteTrigger,
  type EventTrigger,
  type EventTriggerChange,
  foundFailing,
  problemsOf,
  updateTrigger,
} from "./trigger.ts";
