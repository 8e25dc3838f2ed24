import { Readable } from "node:stream";
import { AiepError, ROUTES } from "@aiep/contracts";
import { registerRoute } from "@aiep/service-kit";
import type { FastifyInstance } from "fastify";
import { type CodePackageDeps, getCodePackage, uploadCodePackage } from "../operations/code-packages.ts";
import { codePackageView } from "./views.ts";

export function registerCodePackageRoutes(app: FastifyInstance, deps: CodePackageDeps): void {
  registerRoute(
    app,
    ROUTES.createCodePackage,
    async ({ principal, query, raw, signal }) => {
      const body = bodyOf(raw.body);
      try {
        const codePackage = await uploadCodePackage(deps, principal, {
          groupId: query.group_id,
          expectedSha256: query.sha256,
          declaredBytes: contentLength(raw.headers["content-length"]),
          // Breaking off must not close the connection: the refusal is still to be sent on it.
          body: { [Symbol.asyncIterator]: () => body.iterator({ destroyOnReturn: false }) },
          signal,
        });
        return {
          body: codePackageView(codePackage),
          headers: { location: `/v1/code-packages/${codePackage.id}` },
        };
      } finally {
        // Many clients read the answer only after they have sent everything: the rest is read and thrown away.
        body.resume();
      }
    },
    // The limit is enforced while reading, by the receiver: its answer names the limit.
    { bodyBytes: Number.MAX_SAFE_INTEGER },
  );

  registerRoute(app, ROUTES.getCodePackage, async ({ principal, params }) => ({
    body: codePackageView(await getCodePackage(deps, principal, params.code_package_id)),
  }));
}

function bodyOf(body: unknown): Readable {
  if (body instanceof Readable) return body;
  throw new AiepError("UNSUPPORTED_MEDIA_TYPE", "A code package is sent as application/zip.");
}

function contentLength(header: string | undefined): number | undefined {
  return header === undefined ? undefined : Number(header);
}
