/**
 * Our shapes on BullMQ: a node is a job. A chain's job adds the next one; a fan-out is a parent with `width` children, added by
 * the first job. Redis writes every command to the disk before it answers, as our database does.
 */
import { FlowProducer, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { answers, freePort, median, shapes, withServer } from "./shapes.mjs";

const { chain, width, rounds } = shapes();
const AT_ONCE = 50;
const port = await freePort();
const args = (folder) => [
  ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
  ...["--appendonly", "yes", "--appendfsync", "always"],
];

await withServer("redis-server", args, {}, async () => {
  await answers(port);
  const connection = new Redis({ port, host: "127.0.0.1", maxRetriesPerRequest: null });
  const queue = new Queue("bench", { connection });
  const flows = new FlowProducer({ connection });
  let ended = () => {};
  const perform = {
    step: async ({ data: { left } }) => {
      if (left > 1) await queue.add("step", { left: left - 1 });
    },
    first: async () => {
      const middle = Array.from({ length: width }, () => ({ name: "middle", queueName: "bench", data: {} }));
      await flows.add({ name: "last", queueName: "bench", data: {}, children: middle });
    },
    middle: async () => {},
    last: async () => {},
  };
  const worker = new Worker("bench", async (job) => await perform[job.name](job), {
    connection: connection.duplicate(),
    concurrency: AT_ONCE,
  });
  worker.on("completed", ({ name, data }) => {
    if (name === "last" || data.left === 1) ended();
  });
  const run = async (name, data) => {
    const end = new Promise((resolve) => {
      ended = resolve;
    });
    await queue.add(name, data);
    await end;
  };
  const figures = {
    chain: await median(rounds, () => run("step", { left: chain })),
    fanOut: await median(rounds, () => run("first", {})),
  };
  console.log(JSON.stringify(figures));
  process.exitCode = 0;
});
process.exit();
