/** The store at a place. S3 is loaded only where it is used. */
import { openDirectoryStore } from "./directory.ts";
import type { StoreLocation } from "./location.ts";
import type { ObjectStore } from "./object-store.ts";

export async function openObjectStore(location: StoreLocation): Promise<ObjectStore> {
  switch (location.kind) {
    case "directory":
      return await openDirectoryStore(location.path);
    case "s3": {
      const { openS3Store } = await import("./s3.ts");
      return await openS3Store(location);
    }
  }
}
