/** One account of a server with authorization; lists are subjects with wildcards. */
export interface NatsUser {
  readonly user: string;
  readonly password: string;
  /** What it may publish to; default everything. */
  readonly publish?: readonly string[];
  /** What it may subscribe to, besides its own inbox; default everything. */
  readonly subscribe?: readonly string[];
  /** A private prefix keeps other users from reading its replies; `<prefix>.>` is added to `subscribe`. */
  readonly inboxPrefix?: string;
  /** May answer requests it receives, on the reply subject they name. */
  readonly allowResponses?: boolean;
}

export interface NatsConfigInput {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly storeDir: string;
  readonly users?: readonly NatsUser[];
  readonly maxPayloadBytes?: number;
  readonly maxFileStoreBytes?: number;
}

/** A configuration file that 2.9 and newer read alike. The format takes JSON; quoted strings are never variables. */
export function natsConfigText(input: NatsConfigInput): string {
  const { name, host, port, storeDir, users, maxPayloadBytes, maxFileStoreBytes } = input;
  const document = {
    server_name: name,
    host,
    port,
    ...(maxPayloadBytes === undefined ? {} : { max_payload: maxPayloadBytes }),
    jetstream: {
      store_dir: storeDir,
      ...(maxFileStoreBytes === undefined ? {} : { max_file_store: maxFileStoreBytes }),
    },
    ...(users === undefined ? {} : { authorization: { users: users.map(userEntry) } }),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function userEntry({ user, password, publish, subscribe, inboxPrefix, allowResponses }: NatsUser) {
  const inbox = inboxPrefix === undefined ? [] : [`${inboxPrefix}.>`];
  return {
    user,
    password,
    permissions: {
      ...(publish === undefined ? {} : { publish: { allow: publish } }),
      ...(subscribe === undefined ? {} : { subscribe: { allow: [...subscribe, ...inbox] } }),
      ...(allowResponses === true ? { allow_responses: true } : {}),
    },
  };
}
