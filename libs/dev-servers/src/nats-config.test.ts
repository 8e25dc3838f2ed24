import { expect, test } from "vitest";
import { natsConfigText } from "./nats-config.ts";

const base = { name: "n", host: "127.0.0.1", port: 4222, storeDir: "/data" };

test("without users there is no authorization block: whoever reaches loopback may connect", () => {
  expect(JSON.parse(natsConfigText(base))).toEqual({
    server_name: "n",
    host: "127.0.0.1",
    port: 4222,
    jetstream: { store_dir: "/data" },
  });
});

test("a user's private inbox is the only thing added to what it may subscribe to", () => {
  const text = natsConfigText({
    ...base,
    users: [{ user: "u", password: "p", publish: ["a.>"], subscribe: ["b"], inboxPrefix: "_INBOX_u" }],
  });
  expect(JSON.parse(text).authorization.users).toEqual([
    {
      user: "u",
      password: "p",
      permissions: { publish: { allow: ["a.>"] }, subscribe: { allow: ["b", "_INBOX_u.>"] } },
    },
  ]);
});
