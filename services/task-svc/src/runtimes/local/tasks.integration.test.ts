/** Whole tasks on real processes. */
import { describeTasks } from "../conformance/tasks.ts";
import { findHost } from "./host.ts";
import { openLocalStage } from "./testing/local-stage.ts";

const host = await findHost();

describeTasks("local", () => openLocalStage(host));
