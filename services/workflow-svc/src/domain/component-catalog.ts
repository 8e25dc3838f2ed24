/**
 * What the domain knows of node kinds: enough to check a definition, nothing of how a kind runs. The kinds themselves are
 * in `components/`, whose registry supplies this catalogue (D2, D23).
 */

/** A JSON object: a manifest as it is stored. */
export type ManifestObject = Readonly<Record<string, unknown>>;

export interface ManifestProblem {
  /** Keys and list positions below the manifest. */
  readonly path: readonly (string | number)[];
  /** Stable word: REQUIRED, UNKNOWN_FIELD, INVALID_TYPE, INVALID, … */
  readonly code: string;
  /** A sentence that says what to do. */
  readonly detail: string;
}

/** The version of another experiment that a node starts. */
export interface ChildReference {
  readonly experimentId: string;
  /** Undefined: it is chosen when the run starts, the newest frozen one. */
  readonly versionName: string | undefined;
}

/**
 * Whether a kind's outputs are known before it runs: `declared` those that the node's `outputs` declare, otherwise these
 * names, always there, beside those that the node declares.
 */
export type KindOutputs = "declared" | readonly string[];

export interface CatalogEntry {
  readonly kind: string;
  /** Dotted paths of texts that a shell or an interpreter reads: `${UPPER_CASE}` in them belongs to it. */
  readonly scriptFields: readonly string[];
  readonly outputs: KindOutputs;
  /**
   * All problems of a manifest before its `${…}` are replaced: a text that holds `${…}` may stand wherever a value is
   * wanted, what it becomes is checked when the node starts.
   */
  check(manifest: ManifestObject): readonly ManifestProblem[];
  /** Of kinds that start another workflow. */
  childOf(manifest: ManifestObject): ChildReference | undefined;
}

export interface ComponentCatalog {
  /** Kinds that can run, in the order people see them. */
  readonly kinds: readonly string[];
  get(kind: string): CatalogEntry | undefined;
}
