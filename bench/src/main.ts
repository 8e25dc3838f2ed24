/**
 * `npm run bench [-- SUITE…]`: figures of design section 11 on this machine, beside its floor in the same run. Never a test:
 * nothing here fails because of a time. Results go to bench/results/latest.{json,md}.
 */
import { join } from "node:path";
import { BenchStack } from "./bench-stack.ts";
import { measureFloor } from "./floor.ts";
import { type Figure, keep, markdown, newReport } from "./report.ts";
import { costsSuite } from "./suites/costs.ts";
import { kubernetesSuite } from "./suites/kubernetes.ts";
import { kubernetesScaleSuite } from "./suites/kubernetes-scale.ts";
import { logsSuite } from "./suites/logs.ts";
import { idleSuite, memorySuite, startSuite } from "./suites/memory.ts";
import { propagationSuite } from "./suites/propagation.ts";
import { submitSuite } from "./suites/submit.ts";
import { workflowSuite } from "./suites/workflow.ts";

type Suite = (stack: BenchStack) => Figure[] | Promise<Figure[]>;

/** Each on a fresh stack, so that no suite pays for another one's tasks. */
const SUITES: Readonly<Record<string, Suite>> = {
  start: (stack) => [...startSuite(stack), ...idleSuite(stack)],
  submit: submitSuite,
  propagation: propagationSuite,
  logs: logsSuite,
  memory: memorySuite,
  workflow: workflowSuite,
  costs: costsSuite,
  kubernetes: kubernetesSuite,
  "kubernetes-scale": kubernetesScaleSuite,
};
/** Their stack runs its tasks in the cluster of KUBECONFIG. */
const ON_KUBERNETES = ["kubernetes", "kubernetes-scale"];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => SUITES[name] === undefined);
if (unknown.length > 0)
  throw new Error(`no suite ${unknown.join(", ")}; there are ${Object.keys(SUITES).join(", ")}`);

console.error("floor: the machine's own commit and publish");
const floor = await measureFloor();
const figures: Figure[] = [];
for (const [name, suite] of Object.entries(SUITES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const cluster = ON_KUBERNETES.includes(name);
  if (cluster && !process.env["KUBECONFIG"]) {
    console.error(`suite ${name}: SKIPPED, no cluster here; set KUBECONFIG`);
    continue;
  }
  console.error(`suite ${name}: starting a stack`);
  const stack = await BenchStack.up(cluster ? { AIEP_RUNTIME: "kubernetes" } : {});
  try {
    figures.push(...(await suite(stack)));
  } catch (error) {
    process.exitCode = 1;
    console.error(`suite ${name} broke off`, error);
  } finally {
    await stack.down();
  }
}
const report = keep(newReport(floor, figures), join(import.meta.dirname, "../results"));
console.log(markdown(report));
