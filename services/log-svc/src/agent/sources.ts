/** Where the agent's files come from, by its settings. The Kubernetes part is loaded only where it is used. */
import type { Logger, Scope } from "@aiep/service-kit";
import type { AgentConfig } from "../config.ts";
import { filePodResolver, type PodResolver } from "./pod-resolver.ts";

export interface AgentSource {
  readonly resolver: PodResolver;
  /** Why pods cannot be seen just now; null when they can. */
  trouble(): string | null;
}

export async function openSource(config: AgentConfig, log: Logger, scope: Scope): Promise<AgentSource> {
  if (config.AIEP_AGENT_SOURCE === "files") return { resolver: filePodResolver, trouble: () => null };
  const [{ connect }, { ClusterPods }, { PodFollower }] = await Promise.all([
    import("@aiep/kube"),
    import("./cluster-pods.ts"),
    import("./follow/pod-follower.ts"),
  ]);
  const following = config.AIEP_AGENT_SOURCE === "follow";
  const connection = await connect(
    config.KUBECONFIG,
    following ? { maxSockets: Number.POSITIVE_INFINITY } : {},
  );
  scope.defer("release", "connections", async () => connection.agent.destroy());
  const follower = following
    ? scope.use(
        "follower",
        new PodFollower({ connection, podsDir: config.AIEP_LOGS_DIR, log, now: () => new Date() }),
      )
    : undefined;
  const pods = scope.use(
    "pods",
    new ClusterPods({
      connection,
      instance: config.AIEP_KUBERNETES_INSTANCE ?? config.AIEP_ENV,
      nodeName: config.AIEP_NODE_NAME,
      log,
      changed: (pod, gone) => follower?.podChanged(pod, gone),
    }),
  );
  if (follower === undefined) return { resolver: pods, trouble: () => pods.trouble };
  void pods.synced
    .then(async () => await follower.completeForgotten())
    .catch((error: unknown) => log.error({ err: error }, "folders of pods that are gone stay open"));
  return { resolver: filePodResolver, trouble: () => pods.trouble };
}
