/** Failures a caller may want to tell apart; each has a stable code and says what to do next. */
export class DevServerError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** No program, package manager or Docker daemon could give the server (D31, end of the search order). */
export class ServerNotFoundError extends DevServerError {
  readonly server: string;
  readonly tried: readonly string[];

  constructor(server: string, tried: readonly string[], command: string) {
    super(
      "server_not_found",
      `${server} is not on this machine (tried: ${tried.join("; ")}). Install it with:\n\n    ${command}\n`,
    );
    this.server = server;
    this.tried = tried;
  }
}

export class PortTakenError extends DevServerError {
  readonly port: number;

  constructor(server: string, port: number) {
    super(
      "port_taken",
      `${server} cannot listen on 127.0.0.1:${port}: another process has the port. Stop that process or choose another port.`,
    );
    this.port = port;
  }
}

/** The server ended, or never answered, while it was being started; carries the end of its log. */
export class ServerStartError extends DevServerError {
  readonly serverLog: string;

  constructor(server: string, what: string, serverLog: string, options?: ErrorOptions) {
    super("server_start_failed", `${server} did not start: ${what}\n${serverLog}`, options);
    this.serverLog = serverLog;
  }
}

export class WaitTimeoutError extends DevServerError {
  constructor(awaited: string, timeoutMs: number, last: string, options?: ErrorOptions) {
    super("wait_timeout", `waited ${timeoutMs} ms for: ${awaited}; last seen: ${last}`, options);
  }
}
