/** Where the agent's files come from, by its settings. The Kubernetes part is loaded only where it is used. */
import type { Logger, Scope } from "@aiep/service-kit";
import type { AgentConfig } from "../config.ts";
import { filePodResolver, type PodResolver } from "./pod-resolver.ts";

export interface AgentSource {
  readonly resolver: PodResolver;
  /** Why logs cannot be read just now; null when they can. */
  trouble(): string | null;
}

export async function openSource(config: AgentConfig, log: Logger, scope: Scope): Promise<AgentSource> {
  if (config.AIEP_AGENT_SOURCE === "files") return { resolver: filePodResolver, trouble: () => null };
  const [{ connect }, { ClusterPods }] = await Promise.all([
    import("@aiep/kube"),
    import("./cluster-pods.ts"),
  ]);
  const connection = await connect(config.KUBECONFIG);
  scope.defer("release", "connections", async () => connection.agent.destroy());
  const pods = scope.use(
    "pods",
    new ClusterPods({
      connection,
      instance: config.AIEP_KUBERNETES_INSTANCE ?? config.AIEP_ENV,
      nodeName: config.AIEP_NODE_NAME,
      log,
    }),
  );
  return { resolver: pods, trouble: () => pods.trouble };
}
