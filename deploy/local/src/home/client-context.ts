import { LOCAL_ISSUER } from "@aiep/contracts";
import { stringify } from "yaml";
import { writeAtomic } from "./files.ts";
import type { Layout } from "./layout.ts";

/** Users of the local stack; who may do what stands in directory.yaml. */
const LOCAL_USER = "alice";
const LOCAL_ADMIN = "admin";

/** What aiepctl finds when it is called inside the checkout (D28): where the stack is and the key to sign tokens with. */
export async function writeClientContext(layout: Layout, url: string): Promise<void> {
  const context = (user: string) => ({
    server: url,
    user,
    issuer: LOCAL_ISSUER,
    key_file: layout.clientKeyFile,
  });
  const document = {
    current_context: "local",
    contexts: { local: context(LOCAL_USER), "local-admin": context(LOCAL_ADMIN) },
  };
  await writeAtomic(
    layout.clientFile,
    `# Written at each start of the local stack. The key signs tokens for every user of directory.yaml: keep it here.\n${stringify(document)}`,
    0o600,
  );
}

/** The read-only account of the bus, for people's own subscribers (docs/events.md). */
export async function writeSubscriber(layout: Layout, natsPort: number, password: string): Promise<void> {
  const account = { url: `nats://127.0.0.1:${natsPort}`, user: "subscriber", password };
  await writeAtomic(layout.subscriberFile, `${JSON.stringify(account, null, 2)}\n`, 0o600);
}
