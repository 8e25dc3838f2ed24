/** Our shapes on Restate: a step is a `ctx.run`, work over the bus is a call of another service; both stand in its journal. */
import { join } from "node:path";
import * as restate from "@restatedev/restate-sdk";
import { answers, freePort, median, shapes, withServer } from "./shapes.mjs";

const { chain, width, rounds } = shapes();
const nothing = () => {};

const worker = restate.service({ name: "worker", handlers: { noop: async () => "done" } });
const flow = restate.service({
  name: "flow",
  handlers: {
    chain: async (ctx) => {
      for (let index = 0; index < chain; index += 1) await ctx.run(`n${index}`, nothing);
    },
    calls: async (ctx) => {
      for (let index = 0; index < chain; index += 1) await ctx.serviceClient(worker).noop();
    },
    fanOut: async (ctx) => {
      await ctx.run("first", nothing);
      const middle = Array.from({ length: width }, (_, index) => ctx.run(`m${index}`, nothing));
      await restate.RestatePromise.all(middle);
      await ctx.run("last", nothing);
    },
  },
});

const [admin, ingress, fabric, services] = await Promise.all([1, 2, 3, 4].map(freePort));
const environment = {
  RESTATE_ADMIN__BIND_PORT: String(admin),
  RESTATE_INGRESS__BIND_PORT: String(ingress),
  RESTATE_BIND_PORT: String(fabric),
  RESTATE_BIND_IP: "127.0.0.1",
  RESTATE_LISTEN_MODE: "tcp",
  RESTATE_DISABLE_TELEMETRY: "true",
};
const program = join(
  import.meta.dirname,
  `node_modules/@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`,
);

async function post(port, path, body) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(120_000),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${text.slice(0, 300)}`);
}

async function registered(deadline = Date.now() + 60_000) {
  for (;;) {
    try {
      return await post(admin, "/deployments", { uri: `http://127.0.0.1:${services}` });
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

await restate.serve({ services: [flow, worker], port: services });
await withServer(
  program,
  (folder) => ["--base-dir", folder, "--no-logo"],
  environment,
  async () => {
    await answers(admin);
    await answers(ingress);
    await registered();
    const figures = {
      chain: await median(rounds, () => post(ingress, "/flow/chain")),
      calls: await median(rounds, () => post(ingress, "/flow/calls")),
      fanOut: await median(rounds, () => post(ingress, "/flow/fanOut")),
    };
    console.log(JSON.stringify(figures));
  },
);
process.exit();
