/** The topology step (D7): creates or updates streams and consumers, says what it did, and ends. */
import { CONSUMERS, STREAMS } from "@aiep/contracts";
import { applyTopology, connectBus, createLogger } from "@aiep/service-kit";
import { loadTopologyConfig } from "./config.ts";

const config = loadTopologyConfig();
const log = createLogger({ service: "topology", level: config.AIEP_LOG_LEVEL });
await using bus = await connectBus({
  url: config.AIEP_NATS_URL,
  user: config.AIEP_NATS_USER,
  password: config.AIEP_NATS_PASSWORD,
  name: "topology",
  log,
});
const changes = await applyTopology(bus, {
  streams: Object.values(STREAMS),
  consumers: Object.values(CONSUMERS),
});
const changed = changes.filter(({ action }) => action !== "unchanged");
log.info({ changed }, "streams and consumers are as they should be");
