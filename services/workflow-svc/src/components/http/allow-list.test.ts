import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGuarded, literalAddress, ruleFor } from "./allow-list.ts";

const rule = (url: string, groups: string[] = []) => ({
  url: new URL(url),
  loopback: false,
  secrets: [],
  groups,
});
const allowed = (rules: string[], url: string) =>
  ruleFor(
    rules.map((each) => rule(each)),
    new URL(url),
    "g1",
  ) !== undefined;

describe("an address of the platform itself", () => {
  it.each([
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "169.254.169.254",
    "100.100.100.200",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "not an address",
  ])("%s is guarded", (address) => expect(isGuarded(address)).toBe(true));
  it.each(["10.1.2.3", "192.168.1.1", "93.184.216.34", "2606:2800:220:1::1", "fd12::1"])(
    "%s is not",
    (address) => expect(isGuarded(address)).toBe(false),
  );
  it.each([
    "http://127.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://[::1]/",
  ])("is recognised in %s", (url) => expect(isGuarded(literalAddress(new URL(url)) ?? "")).toBe(true));
});

describe("a rule", () => {
  it.each([
    ["https://a.example/", "https://a.example/x/y?z=1", true],
    ["https://a.example/", "http://a.example/", false],
    ["https://a.example/", "https://a.example:8443/", false],
    ["https://a.example/", "https://a.example.evil.example/", false],
    ["https://a.example/", "https://b.example/", false],
    ["https://a.example/hooks/", "https://a.example/hooks/1", true],
    ["https://a.example/hooks/", "https://a.example/hooksmith", false],
    ["https://a.example/hooks", "https://a.example/hooks", true],
    ["https://a.example/hooks", "https://a.example/hooks/1", true],
    ["https://a.example/hooks", "https://a.example/hooks2", false],
    ["https://a.example/hooks/", "https://a.example/hooks/../admin", false],
    ["https://a.example/hooks/", "https://a.example/hooks/%2e%2e/admin", false],
    ["https://a.example/hooks/", "https://a.example/hooks/..%2fadmin", false],
    ["https://a.example/hooks/", "https://a.example/hooks/..%5Cadmin", false],
    ["https://*.example.com/", "https://a.example.com/", true],
    ["https://*.example.com/", "https://a.b.example.com/", true],
    ["https://*.example.com/", "https://example.com/", false],
    ["https://*.example.com/", "https://badexample.com/", false],
    ["https://*.example.com:8443/", "https://a.example.com/", false],
  ])("%s and %s: %s", (text, url, expected) => expect(allowed([text], url)).toBe(expected));

  it("for groups covers theirs alone; a later one may cover the others", () => {
    const [theirs, all] = [rule("https://a.example/", ["g2"]), rule("https://a.example/open/")];
    const url = new URL("https://a.example/open/x");
    expect(ruleFor([theirs, all], url, "g2")).toBe(theirs);
    expect(ruleFor([theirs, all], url, "g1")).toBe(all);
    expect(ruleFor([theirs], url, "g1")).toBeUndefined();
  });

  it("is never left by what stands behind its path", () => {
    const tail = fc.array(
      fc.constantFrom("..", ".", "/", "%2e", "%2E%2e", "%2f", "%5c", "\\", "a", "?", "#"),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(tail, (parts) => {
        const url = URL.parse(`https://a.example/hooks/${parts.join("")}`);
        if (url === null || !allowed(["https://a.example/hooks/"], url.href)) return;
        const decoded = new URL(decodeURIComponent(url.pathname).replaceAll("\\", "/"), "https://a.example");
        expect(`${decoded.pathname}/`).toMatch(/^\/hooks\//);
      }),
      { numRuns: 2000 },
    );
  });
});
