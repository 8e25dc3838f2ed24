/** What a nats-server can do, read once from its version (D10). Older servers ignore most newer headers silently. */
export interface Capabilities {
  readonly version: string;
  readonly consumerMetadata: boolean;
  readonly termReason: boolean;
  readonly messageTtl: boolean;
}

export function capabilitiesOf(_version: string): Capabilities {
  throw new Error("pending");
}
