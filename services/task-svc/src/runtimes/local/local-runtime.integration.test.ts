/** The conformance suite on real processes: with all that root can do, and with what is left where it cannot. */
import { describeRuntime } from "../conformance/suite.ts";
import { findHost } from "./host.ts";
import { openLocalStage } from "./testing/local-stage.ts";

const host = await findHost();
const ordinary = { ...host, namespaces: false, memory: undefined };

if (host.namespaces) describeRuntime("local (namespaces)", () => openLocalStage(host));
describeRuntime("local (links)", () => openLocalStage(ordinary));
