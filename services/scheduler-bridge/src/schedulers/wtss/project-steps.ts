/** Steps that bring a project with its flow to WTSS, and take it away. A1, A2: adapter.ts. */
import { SchedulerError, type StepOutcome } from "../scheduler.ts";
import { projectDescription } from "./description.ts";
import { type Place, refusalOf } from "./place.ts";

export async function logIn({ client, settings, signal }: Place): Promise<StepOutcome> {
  await client.logIn(signal);
  return { message: `Logged in as ${settings.user}.` };
}

export async function findOrCreateProject(place: Place): Promise<StepOutcome> {
  const { client, name, settings, signal, target } = place;
  // What cannot be published leaves no project behind.
  place.package();
  place.quartz();
  const found = await place.find();
  if (found.kind === "others") throw taken(name, found.why);
  if (found.kind === "ours")
    return { message: `Found project ${name}.`, remote: place.remote(found.projectId) };
  const description = projectDescription(target, settings.consoleBaseUrl);
  const refusal = await refusalOf(client.createProject(name, description, signal));
  const made = await place.find();
  if (made.kind === "others") throw taken(name, made.why);
  if (made.kind === "ours")
    return { message: `Created project ${name}.`, remote: place.remote(made.projectId) };
  throw refusal ?? notKept(`project ${name} was created`);
}

export async function describeProject({
  client,
  name,
  settings,
  signal,
  target,
}: Place): Promise<StepOutcome> {
  await client.describeProject(name, projectDescription(target, settings.consoleBaseUrl), signal);
  return { message: "Described the project: experiment, version, owner and link." };
}

export async function upload(place: Place): Promise<StepOutcome> {
  const { fileName, zip } = place.package();
  const revision = await place.client.upload(place.name, fileName, zip, place.signal);
  return { message: `Uploaded ${fileName} as version ${revision}.`, remote: { revision } };
}

export async function readBackFlows(place: Place): Promise<StepOutcome> {
  const { client, name, signal, target } = place;
  const flows = await client.flows(name, signal);
  if (flows.length !== 1 || flows[0] !== name) {
    const there = flows.length === 0 ? "none" : flows.join(", ");
    throw new SchedulerError("refused", `Project ${name} should hold the flow ${name}, but holds ${there}.`);
  }
  const [node] = await client.flowNodes(name, name, signal);
  if (node?.comment !== place.package().comment)
    throw new SchedulerError(
      "refused",
      `Flow ${name} is not what was uploaded: somebody else uploads to that project.`,
    );
  return { message: `Flow ${name} is there, with version ${target.versionName}.` };
}

export async function deleteProject(place: Place): Promise<StepOutcome> {
  const { client, name, signal } = place;
  const found = await place.find();
  if (found.kind === "absent") return { message: `There is no project ${name}.` };
  if (found.kind === "others") return { message: `Project ${name} is left alone: it ${found.why}.` };
  const refusal = await refusalOf(client.deleteProject(name, signal));
  if (refusal === undefined) return { message: `Deleted project ${name}.` };
  const running = await client.running(name, name, signal);
  if (running.length === 0) throw refusal;
  const executions = running.join(", ");
  throw new SchedulerError(
    "busy",
    `WTSS deletes no project while its flow runs: execution ${executions} of ${name} has to end, or be cancelled there.`,
  );
}

export async function readBackDeleted(place: Place): Promise<StepOutcome> {
  const found = await place.find();
  if (found.kind === "ours") throw notKept(`project ${place.name} was deleted`);
  return { message: "Nothing of the publication is left there." };
}

function taken(name: string, why: string): SchedulerError {
  return new SchedulerError("taken", `WTSS has a project ${name} already; it ${why}.`);
}

function notKept(said: string): SchedulerError {
  return new SchedulerError("refused", `WTSS said that ${said}, but shows otherwise.`);
}
