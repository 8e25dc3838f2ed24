import { directory } from "@aiep/contracts";
import { expect, test } from "vitest";
import { fstabPath, quote } from "./shell.ts";
import { isInside, storageResolver } from "./storage.ts";

const roots = directory.parse({
  users: [],
  groups: [],
  storage_roots: [
    { path: "/ceph", host_path: "/srv/ceph" },
    { path: "/ceph/alice", host_path: "/home/alice" },
    { path: "/plain" },
  ],
});
const resolve = storageResolver(() => roots);

test("the longest storage root that holds a path says where it lies", () => {
  expect(resolve("/ceph/x/y")).toEqual({ root: "/srv/ceph", path: "/srv/ceph/x/y" });
  expect(resolve("/ceph/alice/x")).toEqual({ root: "/home/alice", path: "/home/alice/x" });
  expect(resolve("/ceph/alice")).toEqual({ root: "/home/alice", path: "/home/alice" });
  expect(resolve("/plain/a")).toEqual({ root: "/plain", path: "/plain/a" });
});

test("a path that only begins like a root is outside of it", () => {
  expect(resolve("/cephalopod")).toBeUndefined();
  expect(isInside("/usrlocal", "/usr")).toBe(false);
  expect(isInside("/usr", "/usr")).toBe(true);
  expect(isInside("/usr/bin", "/")).toBe(true);
});

test("shell words and fstab paths survive whatever a path may hold", () => {
  expect(quote("it's $HOME")).toBe(`'it'\\''s $HOME'`);
  expect(fstabPath("/a b\\c\td")).toBe("/a\\040b\\134c\\011d");
});
