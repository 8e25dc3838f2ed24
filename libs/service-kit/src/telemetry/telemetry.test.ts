import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { waitFor } from "@aiep/dev-servers";
import { describe, expect, test } from "vitest";
import { startTelemetry } from "./telemetry.ts";
import { currentTraceparent, runWithTraceparent, span } from "./tracing.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const ORIGIN = `00-${TRACE}-b7ad6b7169203331-01`;

/** What an OTLP collector gets: bodies by path. */
async function startCollector() {
  const received = new Map<string, string>();
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    void text(request).then((body) => {
      received.set(path, (received.get(path) ?? "") + body);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const settings = { service: "test-svc", version: "1.2.3" };

describe("telemetry", () => {
  test("a trace goes on over messages, rows and calls: same trace, a new span each, the parent's id in between", async () => {
    const telemetry = await startTelemetry(settings);
    try {
      const [outer, inner] = await runWithTraceparent(ORIGIN, "handle", async () => {
        const own = currentTraceparent();
        return [own, await span("inside", {}, async () => currentTraceparent())];
      });
      expect(outer).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
      expect(inner).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
      expect(new Set([ORIGIN, outer, inner]).size).toBe(3);
      expect(currentTraceparent()).toBeUndefined();
    } finally {
      await telemetry.shutdown();
    }
  });

  test("what is no traceparent begins a trace of its own", async () => {
    const telemetry = await startTelemetry(settings);
    try {
      for (const given of [undefined, "", "nonsense", `00-${"0".repeat(32)}-b7ad6b7169203331-01`]) {
        const own = runWithTraceparent(given, "handle", () => currentTraceparent());
        expect(own).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
        expect(own).not.toContain("0".repeat(32));
      }
    } finally {
      await telemetry.shutdown();
    }
  });

  test("with an endpoint spans and metrics reach the collector, the last ones at shutdown", async () => {
    await using collector = await startCollector();
    const telemetry = await startTelemetry({ ...settings, otlpEndpoint: collector.url });
    telemetry.meter.createCounter("aiep_test_things").add(3);
    await expect(
      runWithTraceparent(ORIGIN, "handle a thing", async () => await Promise.reject(new TypeError("broken"))),
    ).rejects.toThrow("broken");
    await telemetry.shutdown();
    const spans = await waitFor("the spans arrive", () => collector.received.get("/v1/traces"));
    expect(spans).toContain(TRACE);
    expect(spans).toContain("handle a thing");
    expect(spans).toContain("TypeError");
    expect(spans).toContain("test-svc");
    expect(await waitFor("the metrics arrive", () => collector.received.get("/v1/metrics"))).toContain(
      "aiep_test_things",
    );
  });

  test("without one, and when nothing answers there, the service goes on and its text is there all the same", async () => {
    for (const otlpEndpoint of [undefined, "http://127.0.0.1:9"]) {
      const telemetry = await startTelemetry({ ...settings, otlpEndpoint });
      telemetry.meter.createCounter("aiep_test_things", { description: "Things" }).add(2, { kind: "a" });
      const metrics = await telemetry.metricsText();
      expect(metrics).toMatch(/^aiep_test_things(_total)?\{kind="a"[^}]*\} 2/m);
      expect(metrics).toContain("process_resident_memory_bytes");
      await telemetry.shutdown();
    }
  });
});
