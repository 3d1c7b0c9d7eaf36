import { Type } from "@sinclair/typebox";
import { Failure } from "../../util/errors.ts";
import { answer } from "../framework/input.ts";
import { openApiDocument, operation, problemCodes, type Route } from "../framework/openapi.ts";
import { openResource, type RouteDeps } from "../framework/resource.ts";
import { docsHeaders, docsPage } from "../pages/docs-page.ts";

/** How long a readiness check is reused: the path is public, and each check writes to the disk. */
const READY_REUSE_MS = 1_000;

/** The routes that need no key. `routes` are all routes of the API, including these. */
export function publicRoutes(deps: RouteDeps, routes: readonly Route[]) {
  const { config, clock } = deps;
  const tag = "server";
  const document = once(() => JSON.stringify(openApiDocument(routes, deps.version), null, 2));
  const page = once(() => docsPage(openApiDocument(routes, deps.version), problemCodes(routes)));

  let looked: { at: number; health: ReturnType<RouteDeps["health"]> } | undefined;
  const health = () => {
    if (!looked || clock.elapsed() - looked.at >= READY_REUSE_MS)
      looked = { at: clock.elapsed(), health: deps.health() };
    return looked.health;
  };

  return openResource("/api")
    .get("/health", () => ({ status: "ok" as const }), {
      response: { 200: answer(Type.Object({ status: Type.Literal("ok") })) },
      ...operation({ id: "getHealth", tag, summary: "Whether the server answers", public: true }),
    })
    .get(
      "/ready",
      async () => {
        const { ok, reasons } = await health();
        if (!ok)
          throw new Failure("unavailable", reasons.join(" "), {
            extra: { reasons },
            fix: "The server's operator finds more in its log.",
            retryAfterSeconds: 10,
          });
        return { status: "ready" as const };
      },
      {
        response: { 200: answer(Type.Object({ status: Type.Literal("ready") })) },
        ...operation({
          id: "getReady",
          tag,
          summary: "Whether the server can do its work",
          description:
            "The store takes writes, the disk has room, deliveries are under way. 503 with `reasons` if not.",
          public: true,
          failures: ["unavailable"],
        }),
      },
    )
    .get(
      "/v1/info",
      () => ({
        shared_domain: config.sharedDomain,
        slug_registration_enabled: true,
        captures_mail: config.env === "development" && config.outboundSmtp.host === null,
        ...(config.http.publicUrl ? { public_url: config.http.publicUrl } : {}),
        version: deps.version,
      }),
      {
        response: {
          200: answer(
            Type.Object({
              shared_domain: Type.String(),
              slug_registration_enabled: Type.Boolean(),
              captures_mail: Type.Boolean({
                description: "Mail to the outside is kept and shown here, and does not leave: a development server.",
              }),
              public_url: Type.Optional(Type.String()),
              version: Type.String(),
            }),
          ),
        },
        ...operation({ id: "getInfo", tag, summary: "What this server offers", public: true }),
      },
    )
    .get(
      "/v1/openapi.json",
      () => new Response(document(), { headers: { "content-type": "application/json", "cache-control": "no-cache" } }),
      operation({
        id: "getOpenApi",
        tag,
        summary: "This description",
        public: true,
        produces: { status: 200, description: "An OpenAPI 3.1 document", type: "application/json" },
      }),
    )
    .get(
      "/docs",
      () => new Response(page(), { headers: docsHeaders }),
      operation({
        id: "getDocs",
        tag,
        summary: "This description, to read",
        public: true,
        produces: { status: 200, description: "A page", type: "text/html" },
      }),
    );
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
