/**
 * Objects by key, in a directory or an S3 bucket: what services keep beside their database.
 *
 *   object-store   the interface, the same for both        directory, s3   the two
 *   s3-upload      one object in parts                     s3-read         one object, taken up again where it broke off
 *   part-pool      the memory that uploads may have        location, open  a setting's text as a place, the store there
 */
export { openDirectoryStore } from "./directory.ts";
export { parseStoreLocation, STORE_ADDRESS, type StoreLocation } from "./location.ts";
export {
  type Content,
  type ListedObject,
  ObjectMissingError,
  type ObjectStore,
  type ObjectStream,
} from "./object-store.ts";
export { openObjectStore } from "./open.ts";
