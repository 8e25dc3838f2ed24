import { describe, expect, test } from "vitest";
import { jobIn, LATER, planIn, podOf, unscheduled, workloadIn } from "../testing/objects.ts";
import { observe } from "./observe.ts";
import { machine, quantity, type Room, roomFor, roomsOf, tenant } from "./room.ts";

const open = { nodeSelector: {}, tolerations: [] };
const machineOf = (name: string, allocatable: Record<string, string>, more: object = {}) =>
  machine.parse({ metadata: { name, labels: { pool: name } }, status: { allocatable }, ...more });
const tenantOn = (nodeName: string, requests: Record<string, string>, more: object = {}) =>
  tenant.parse({ spec: { nodeName, containers: [{ resources: { requests } }], ...more } });

test.each([
  ["500m", 0.5],
  ["64", 64],
  [8, 8],
  ["256Gi", 256 * 2 ** 30],
  ["1500M", 1.5e9],
  ["1e3", 1000],
  ["much", 0],
  ["1..2", 0],
])("the quantity %s is %d", (text, amount) => {
  expect(quantity(text)).toBe(amount);
});

describe("room", () => {
  const machines = [
    machineOf("a", { cpu: "4", "nvidia.com/gpu": "8" }),
    machineOf("b", { cpu: "16" }, { spec: { taints: [{ key: "big", value: "yes", effect: "NoSchedule" }] } }),
    machineOf("c", { cpu: "32" }, { spec: { unschedulable: true } }),
  ];

  test("is what pods that have not ended leave, init containers counted by the greediest", () => {
    const rooms = roomsOf(machines, [
      tenantOn("a", { cpu: "1" }),
      tenantOn("a", { cpu: "500m" }, { initContainers: [{ resources: { requests: { cpu: "2" } } }] }),
      tenant.parse({ spec: { nodeName: "a", containers: [] }, status: { phase: "Succeeded" } }),
      tenantOn("gone", { cpu: "9" }),
    ]);
    expect(roomFor(rooms, "cpu", open)).toEqual({ machines: 1, free: 1, of: 4, largest: 4 });
  });

  test("is on machines that the pod may go to: selector, taints, cordon", () => {
    const rooms = roomsOf(machines, []);
    const tolerating = (toleration: object) => ({
      ...open,
      tolerations: [{ key: "", operator: "Equal", value: "", effect: "", ...toleration }],
    });
    expect(roomFor(rooms, "cpu", tolerating({ key: "big", value: "yes" })).largest).toBe(16);
    expect(roomFor(rooms, "cpu", tolerating({ key: "big", value: "no" })).largest).toBe(4);
    expect(roomFor(rooms, "cpu", tolerating({ operator: "Exists" })).largest).toBe(16);
    expect(roomFor(rooms, "cpu", { ...open, nodeSelector: { pool: "b" } }).machines).toBe(0);
  });

  const told = (rooms: readonly Room[], said: string) =>
    observe({
      ref: workloadIn("Standalone"),
      plan: planIn("Standalone"),
      job: jobIn("Standalone"),
      endHeardAt: undefined,
      stop: undefined,
      pods: [{ pod: podOf({ status: unscheduled(said) }), gone: false }],
      events: [],
      podGroup: undefined,
      queued: undefined,
      rooms,
      now: new Date(LATER),
    }).waiting?.message;
  const gpus = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.";
  const cores = "0/3 nodes are available: 3 Insufficient cpu.";

  test.each([
    [
      cores,
      [machineOf("a", { cpu: "4" })],
      [tenantOn("a", { cpu: "3200m" })],
      /free is 0\.8 of 4 CPU cores\. Wait/,
    ],
    [
      cores,
      [machineOf("a", { cpu: "500m" })],
      [],
      /0\.5 of 0\.5 CPU cores\. Waiting does not help: ask for less/,
    ],
    [
      gpus,
      [machineOf("a", { cpu: "4" })],
      [],
      /no machine has any GPUs \(nvidia\.com\/gpu\)\. Waiting does not help/,
    ],
    [gpus, [], [], /no machine is open to this namespace\. Waiting does not help/],
  ])("%s, told with what is free", (said, all, tenants, words) => {
    expect(told(roomsOf(all, tenants), said)).toMatch(words);
  });
});
