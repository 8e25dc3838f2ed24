/**
 * Where an `http` node may go (SSRF): only what the operator allowed, and whatever the name service says, never to this
 * machine, to addresses of the link, or to a cloud's metadata service unless the rule says so. Pure.
 */
import { BlockList, isIP } from "node:net";
import type { AllowRule } from "./settings.ts";

const NEVER = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const)
  NEVER.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of [
  ["::", 127],
  ["fe80::", 10],
  ["ff00::", 8],
  ["64:ff9b::", 96], // IPv4 in disguise
] as const)
  NEVER.addSubnet(network, prefix, "ipv6");
// Metadata services that do not live on the link.
NEVER.addAddress("100.100.100.200", "ipv4");
NEVER.addAddress("fd00:ec2::254", "ipv6");

/** Addresses that no rule without `loopback` reaches. */
export function isGuarded(address: string): boolean {
  const family = isIP(address);
  return family === 0 || NEVER.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** The address that a URL names by itself. `URL` has already turned `0x7f.1` and its like into dots. */
export function literalAddress({ hostname }: URL): string | undefined {
  const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

/** The first that covers it for this group. */
export function ruleFor(rules: readonly AllowRule[], url: URL, groupId: string): AllowRule | undefined {
  return rules.find(
    (rule) => (rule.groups.length === 0 || rule.groups.includes(groupId)) && covers(rule.url, url),
  );
}

function covers(rule: URL, { protocol, host, hostname, port, pathname }: URL): boolean {
  if (rule.protocol !== protocol) return false;
  if (rule.hostname.startsWith("*.")) {
    if (rule.port !== port || !hostname.endsWith(rule.hostname.slice(1))) return false;
  } else if (rule.host !== host) return false;
  if (rule.pathname === "/") return true;
  // An encoded slash may be a slash to the server behind, and lead out of the allowed path.
  if (/%2f|%5c/i.test(pathname)) return false;
  return rule.pathname.endsWith("/")
    ? pathname.startsWith(rule.pathname)
    : pathname === rule.pathname || pathname.startsWith(`${rule.pathname}/`);
}
