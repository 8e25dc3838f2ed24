/**
 * Objects by key, in a directory or an S3 bucket: what services keep beside their database.
 *
 *   object-store   the interface, the same for both        directory, s3   the two
 *   location       a setting's text as a place             open            the store at a place
 */
export { openDirectoryStore } from "./directory.ts";
export { parseStoreLocation, STORE_ADDRESS, type StoreLocation } from "./location.ts";
export { ObjectMissingError, type ObjectStore } from "./object-store.ts";
export { openObjectStore } from "./open.ts";
