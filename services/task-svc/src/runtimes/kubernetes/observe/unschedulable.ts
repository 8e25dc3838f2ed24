/** Why a pod has no machine, in a newcomer's words: what it asks for, how much is free, and whether waiting helps (I11). */
import type { TaskReason } from "@aiep/contracts";
import type { Plan, PlannedNode } from "../plan.ts";
import { short } from "./node.ts";
import type { Facts } from "./observe.ts";
import type { Pod } from "./resources.ts";
import { type Room, type RoomFor, roomFor } from "./room.ts";

type Role = Plan["roles"][number] | undefined;

const GIB = 2 ** 30;

export function unschedulable(
  node: PlannedNode,
  pod: Pod,
  said: string,
  { plan, rooms }: Pick<Facts, "plan" | "rooms">,
): { readonly reason: TaskReason; readonly message: string } {
  const role = plan.roles.find((each) => each.role === node.role);
  const machines = /^0\/(\d+) nodes/.exec(said)?.[1];
  const none = machines === undefined ? "no machine" : `none of the cluster's ${machines} machines`;
  const missing = new Set(
    [...said.matchAll(/(\d+) Insufficient ([\w./-]+?)(?=[,.]?(?:\s|$))/g)].map(([, , what = ""]) => what),
  );
  return {
    reason: "Unschedulable",
    message: `${node.name} has no place: ${missing.size === 0 ? nothingFits(none) : tooFull([...missing], role, none, pod, rooms)} The cluster says: ${short(said)}`,
  };
}

function nothingFits(none: string): string {
  return `${none} takes it; wait, or let a platform administrator check the namespace's node selector and tolerations in the directory.`;
}

function tooFull(
  resources: readonly string[],
  role: Role,
  none: string,
  pod: Pod,
  rooms: readonly Room[] | undefined,
): string {
  const asks = resources.map((resource) => amountOf(resource, askedFor(resource, role)));
  const asked = `it asks for ${asks.join(" and ")}, and ${none} has that free`;
  if (rooms === undefined) return `${asked}; wait for other tasks to end, or ask for less.`;
  const found = resources.map((resource) => ({
    resource,
    asked: askedFor(resource, role) ?? 0,
    room: roomFor(rooms, resource, pod.spec),
  }));
  const never = found.some(({ asked: wanted, room }) => room.largest < wanted || room.largest === 0);
  const advice = never
    ? "Waiting does not help: ask for less, for another GPU type, or ask a platform administrator for such machines."
    : "Wait for other tasks to end, or ask for less.";
  return `${asked}: ${found.map(({ resource, room }) => sayRoom(resource, room)).join("; ")}. ${advice}`;
}

function sayRoom(resource: string, { machines, free, of, largest }: RoomFor): string {
  if (machines === 0) return "no machine is open to this namespace";
  if (largest === 0) return `no machine has any ${nameOf(resource)}`;
  return `the most that one machine has free is ${figure(resource, free)} of ${amountOf(resource, of)}`;
}

/** In the resource's own unit: cores, bytes, pieces. */
function askedFor(resource: string, role: Role): number | undefined {
  if (resource === "cpu") return role?.cpu;
  if (resource === "memory") return role && role.memory_gb * GIB;
  return resource.includes("/") ? role?.gpu : undefined;
}

function amountOf(resource: string, amount: number | undefined): string {
  if (amount === undefined) return nameOf(resource);
  const name = amount === 1 ? nameOf(resource).replace(/(?<=^CPU core|^GPU)s/, "") : nameOf(resource);
  return `${figure(resource, amount)} ${name}`;
}

function nameOf(resource: string): string {
  if (resource === "cpu") return "CPU cores";
  if (resource === "memory") return "GB of memory";
  return resource.endsWith("/gpu") ? `GPUs (${resource})` : resource;
}

function figure(resource: string, amount: number): string {
  const value = resource === "memory" ? amount / GIB : amount;
  return String(Math.floor(value * 10 + 1e-6) / 10);
}
