/** Publications: see publication.ts for what they are. */
export { abandon } from "./endings.ts";
export { confirmed, firstPublish, publishAgain, rotateSecret, unpublish } from "./order.ts";
export {
  type FailureKind,
  isAtRest,
  type PlacedStep,
  type Publication,
  type PublicationChange,
  type Remote,
  type SecretsChange,
  type Standing,
  type Step,
  targetOf,
  type Wanted,
} from "./publication.ts";
export {
  begin,
  dutyOf,
  finish,
  type Outcome,
  type Patience,
  type Ticket,
} from "./steps.ts";
