/**
 * Start commands that workflow-svc gave up on (D9): their fires end, so that no schedule, back-fill or caller waits for a run
 * that nobody starts.
 *
 * K1 The letter is the only way to know: a command that is merely late looks the same in every other respect.
 * K2 In whatever order letter, redrive and run are heard of, the fire ends up as its run does: a letter changes only a fire whose
 *    run was not seen yet, and a run that is seen later takes the end back (domain/fire.ts, F2). There is one run at most, since
 *    its id follows from the command's (I2).
 * K3 Killed before the letter is acknowledged, it comes again and changes nothing; what waits behind the fire is then let go by
 *    the leader's sweep.
 */
import { runIdOfCommand, startRun } from "@aiep/contracts";
import type { DeadLetter, Failpoints } from "@aiep/service-kit";
import { changeFire } from "../control/cancel-fire.ts";
import { giveUpFire } from "../domain/fire.ts";
import type { FireStore } from "../store/fire-store.ts";
import { type FireNews, tellOfFire } from "./fire-news.ts";

export interface DeadStartDeps extends FireNews {
  readonly fires: FireStore;
  readonly clock: () => Date;
  readonly failpoints: Failpoints;
}

export function createDeadStartHandler(deps: DeadStartDeps): (letter: DeadLetter) => Promise<void> {
  const { fires, clock, failpoints } = deps;
  return async (letter) => {
    if (letter.type !== startRun.type || letter.messageId === undefined) return;
    const fire = await fires.byRun(runIdOfCommand(letter.messageId));
    if (fire === undefined) return; // of somebody else
    const message = messageOf(letter);
    const ended = await changeFire(fires, fire.id, (now) => giveUpFire(now, message, clock()));
    if (ended === undefined) return;
    await failpoints.hit("fire.given-up-not-told");
    await tellOfFire(deps, ended);
  };
}

function messageOf({ id, reason }: DeadLetter): string {
  const path = `/v1/admin/workflow-svc/dead-letters${id === undefined ? "" : `/${id}`}`;
  return `No run was started: workflow-svc gave up on the order, ${reason}. Once the cause is gone an administrator may have it handled again (POST ${path}/redrive); the run then starts late.`;
}
