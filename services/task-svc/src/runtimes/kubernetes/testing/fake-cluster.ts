/** The wire of an API server with a memory: objects, versions, watches. The test plays the controllers and the kubelet. */
import { randomUUID } from "node:crypto";
import { pathOf, type ResourceKind } from "@aiep/kube";
import { answer, type FakeApi, type FakeRequest, failure, line, openFakeApi } from "@aiep/kube/testing";
import * as z from "zod";

const stored = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
});
type Stored = z.infer<typeof stored>;

export interface FakeCluster extends AsyncDisposable {
  readonly api: FakeApi;
  /** Makes or replaces an object, as a controller would. */
  put(kind: ResourceKind, object: object): void;
  drop(kind: ResourceKind, name: string): void;
  get(kind: ResourceKind, name: string): Stored | undefined;
  /** Ends all watches and forgets history, so that the next one is answered 410. */
  compact(): void;
  /** Told of every request first; true: it has answered. */
  intercept(answering: (request: FakeRequest) => boolean): void;
}

export async function openFakeCluster(): Promise<FakeCluster> {
  const objects = new Map<string, Stored>();
  const watches = new Set<{ readonly collection: string; readonly request: FakeRequest }>();
  const history: { readonly version: number; readonly collection: string; readonly object: Stored }[] = [];
  let version = 1;
  let oldest = 0;
  let intercepting: (request: FakeRequest) => boolean = () => false;

  const tell = (type: string, key: string, object: Stored) => {
    const collection = key.slice(0, key.lastIndexOf("|"));
    for (const watch of watches) if (watch.collection === collection) line(watch.request, type, object);
  };
  const put = (collection: string, object: object): Stored => {
    const raw = z.looseObject({ metadata: z.looseObject({ name: z.string() }) }).parse(object);
    const key = `${collection}|${raw.metadata.name}`;
    const before = objects.get(key);
    version += 1;
    const metadata = {
      namespace: "ns-plain",
      uid: before?.metadata.uid ?? randomUUID(),
      creationTimestamp: "2026-11-21T10:00:00Z",
      ...raw.metadata,
      resourceVersion: String(version),
    };
    const object_ = stored.parse({ ...raw, metadata });
    objects.set(key, object_);
    tell(before === undefined ? "ADDED" : "MODIFIED", key, object_);
    return object_;
  };
  const drop = (key: string) => {
    const object = objects.get(key);
    if (object === undefined) return;
    objects.delete(key);
    version += 1;
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    history.push({ version, collection: key.slice(0, key.lastIndexOf("|")), object: last });
    tell("DELETED", key, last);
  };

  const api = await openFakeApi((request) => {
    if (intercepting(request)) return;
    if (request.path === "/version") return answer(request, 200, { minor: "34", gitVersion: "v1.34.0" });
    const { collection, name } = parsePath(request.path);
    const key = `${collection}|${name}`;
    const found = objects.get(key);
    const missing = () => answer(request, 404, failure(404, "NotFound", `${name} not found`));
    switch (request.method) {
      case "POST":
        return post(request, collection);
      case "PATCH":
        return found === undefined
          ? missing()
          : answer(request, 200, put(collection, merged(found, request.body)));
      case "DELETE":
        if (found === undefined) return missing();
        drop(key);
        return answer(request, 200, found);
      default:
        if (name !== "") return found === undefined ? missing() : answer(request, 200, found);
        return request.query.get("watch") === "true"
          ? watch(request, collection)
          : listOf(request, collection);
    }
  });
  const post = (request: FakeRequest, collection: string) => {
    // Everybody may do everything here.
    if (collection.endsWith("/selfsubjectaccessreviews"))
      return answer(request, 201, { status: { allowed: true } });
    const { name } = z.object({ metadata: z.object({ name: z.string() }) }).parse(request.body).metadata;
    if (objects.has(`${collection}|${name}`)) return answer(request, 409, failure(409, "AlreadyExists"));
    answer(request, 201, put(collection, z.looseObject({}).parse(request.body)));
  };
  const watch = (request: FakeRequest, collection: string) => {
    const from = Number(request.query.get("resourceVersion"));
    if (from < oldest) return answer(request, 410, failure(410, "Expired"));
    request.response.writeHead(200).flushHeaders();
    const entry = { collection, request };
    watches.add(entry);
    request.response.on("close", () => watches.delete(entry));
    for (const [key, object] of objects)
      if (key.startsWith(`${collection}|`) && Number(object.metadata.resourceVersion) > from)
        line(request, "MODIFIED", object);
    for (const deleted of history)
      if (deleted.collection === collection && deleted.version > from)
        line(request, "DELETED", deleted.object);
  };
  const listOf = (request: FakeRequest, collection: string) => {
    const wanted = (request.query.get("labelSelector") ?? "").split(",").filter(Boolean);
    const items = [...objects]
      .filter(([key]) => key.startsWith(`${collection}|`))
      .map(([, object]) => object)
      .filter(({ metadata }) =>
        wanted.every((term) => metadata.labels?.[term.split("=")[0] ?? ""] === term.split("=")[1]),
      );
    answer(request, 200, { metadata: { resourceVersion: String(version) }, items });
  };

  return {
    api,
    put: (kind, object) => void put(pathOf(kind), object),
    drop: (kind, name) => drop(`${pathOf(kind)}|${name}`),
    get: (kind, name) => objects.get(`${pathOf(kind)}|${name}`),
    compact: () => {
      version += 1;
      oldest = version;
      for (const { request } of watches) request.response.end();
      watches.clear();
    },
    intercept: (answering) => {
      intercepting = answering;
    },
    [Symbol.asyncDispose]: async () => await api[Symbol.asyncDispose](),
  };
}

/** `/apis/batch/v1/namespaces/ns/jobs/x` → the collection over all namespaces, and the name. */
function parsePath(path: string): { collection: string; name: string } {
  const match = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/[^/]+)?\/([^/]+)(?:\/([^/]+))?$/.exec(
    path,
  );
  return { collection: `${match?.[1]}/${match?.[2]}`, name: match?.[3] ?? "" };
}

function merged(base: unknown, patch: unknown): object {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject(base) || !isObject(patch)) throw new TypeError("only objects are merged");
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch))
    out[key] = isObject(value) ? merged(isObject(out[key]) ? out[key] : {}, value) : value;
  return out;
}
