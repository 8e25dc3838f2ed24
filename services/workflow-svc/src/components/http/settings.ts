/** What this installation lets `http` nodes do; the operator's file, never a manifest. */

export interface AllowRule {
  /** Scheme, host and port must be equal, the path must begin with this one. A host `*.example.com` means every host below it. */
  readonly url: URL;
  /** Addresses of this machine and of the link may be reached. Off: an allowed name that resolves to one is refused. */
  readonly loopback: boolean;
  /** Names of the secrets that may be sent there. */
  readonly secrets: readonly string[];
  /** Groups whose workflows may go there; empty: all. */
  readonly groups: readonly string[];
}

export interface HttpNodeSettings {
  readonly allow: readonly AllowRule[];
  /** Name → value. */
  readonly secrets: ReadonlyMap<string, string>;
}
