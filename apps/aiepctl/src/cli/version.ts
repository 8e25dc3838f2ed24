/** Set when the bundle is built; a run from source knows no more than its package. */
declare const AIEPCTL_VERSION: string | undefined;
declare const AIEPCTL_COMMIT: string | undefined;

export const VERSION = typeof AIEPCTL_VERSION === "string" ? AIEPCTL_VERSION : "0.1.0";
/** Undefined when run from source: `version` then asks git. */
export const COMMIT = typeof AIEPCTL_COMMIT === "string" ? AIEPCTL_COMMIT : undefined;
