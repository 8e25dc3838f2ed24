/** An API server's no, in words that say what to do, and whether to try again. */
import { AiepError } from "@aiep/contracts";
import { ApiError } from "@aiep/kube";
import { short } from "./observe/node.ts";

export function launchError(error: unknown, kind: string, namespace: string): unknown {
  if (!ApiError.is(error)) return error;
  const said = short(error.message);
  const later = (message: string) => new AiepError("RUNTIME_UNAVAILABLE", message, { cause: error });
  const never = (message: string) => new AiepError("LAUNCH_REFUSED", message, { cause: error });
  switch (error.kind) {
    case "missing":
      return /namespaces? "/.test(error.message)
        ? never(`The cluster has no namespace ${namespace}; a platform administrator can create it.`)
        : never(
            `The cluster does not know ${kind}, or the gang scheduler's PodGroup: the training operator or the scheduler is not installed, or too old. A platform administrator can install it; aiepctl doctor says what is missing. It says: ${said}`,
          );
    case "refused":
      if (error.status === 403 && /exceeded quota/.test(error.message))
        return later(`The cluster's quota of ${namespace} has no room for another ${kind}: ${said}`);
      if (error.status === 403)
        return later(
          `The platform may not create a ${kind} in ${namespace}; a platform administrator can bind its role there. It says: ${said}`,
        );
      return never(`The cluster refuses the ${kind}: ${said}`);
    case "conflict":
    case "expired":
    case "unauthorized":
    case "unavailable":
      return later(`The Kubernetes API cannot be used just now: ${said}`);
    default: {
      const unknown: never = error.kind;
      throw new TypeError(`unknown kind ${String(unknown)}`);
    }
  }
}
