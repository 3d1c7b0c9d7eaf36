import type { Server } from "bun";
import { asFailure } from "../util/errors.ts";
import { newId } from "../util/id.ts";
import { createAnswers } from "./framework/answers.ts";
import { createDoor } from "./framework/door.ts";
import { createRateLimits } from "./framework/limits.ts";
import { createMetrics, startMetrics } from "./framework/metrics.ts";
import type { Route } from "./framework/openapi.ts";
import { problemResponse } from "./framework/problem.ts";
import { emptyApi, type HttpDeps, type RouteDeps } from "./framework/resource.ts";
import { createScheduler } from "./framework/scheduler.ts";
import { createSockets, type SocketData, socketRoutes } from "./framework/websocket.ts";
import { approvalLinks } from "./pages/approval-links.ts";
import { docsPages } from "./pages/docs-pages.ts";
import { mailViews } from "./pages/mail-view.ts";
import { account } from "./resources/account/account.ts";
import { agents } from "./resources/account/agents.ts";
import { audit } from "./resources/account/audit.ts";
import { deliveries } from "./resources/account/deliveries.ts";
import { domains } from "./resources/account/domains.ts";
import { eventSchemaRoutes, events } from "./resources/account/events.ts";
import { keys } from "./resources/account/keys.ts";
import { overview } from "./resources/account/overview.ts";
import { signingSecrets } from "./resources/account/secrets.ts";
import { suppressions } from "./resources/account/suppressions.ts";
import { webhooks } from "./resources/account/webhooks.ts";
import { conversations } from "./resources/mail/conversations.ts";
import { decisions } from "./resources/mail/decisions.ts";
import { inbox } from "./resources/mail/inbox.ts";
import { messages } from "./resources/mail/messages.ts";
import { outbound } from "./resources/mail/outbound.ts";
import { replies } from "./resources/mail/reply.ts";
import { sends } from "./resources/mail/send.ts";
import { mcp } from "./resources/mcp.ts";
import { publicRoutes } from "./resources/public.ts";
import { authApi } from "./sign-in/api.ts";
import { signIn } from "./sign-in/routes.ts";
import { sessions } from "./sign-in/sessions.ts";

export type { HttpDeps } from "./framework/resource.ts";

/** Longer than the longest long poll, so that a quiet one is not taken for a dead connection. */
const IDLE_TIMEOUT_SECONDS = 90;

export interface HttpListener {
  /** The URL on this machine, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly port: number;
  /** The URL of `/metrics`; null if it is off. */
  readonly metricsUrl: string | null;
  /** Stops accepting connections and lets requests in progress finish, for at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Builds the whole API. Each resource has a file of its name. */
function createApi(deps: RouteDeps) {
  const routes: Route[] = [];
  const api = emptyApi()
    .use(publicRoutes(deps, routes))
    .use(account(deps))
    .use(authApi(deps))
    .use(sessions(deps))
    .use(keys(deps))
    .use(signingSecrets(deps))
    .use(agents(deps))
    .use(messages(deps))
    .use(mailViews(deps))
    .use(inbox(deps))
    .use(overview(deps))
    .use(replies(deps))
    .use(sends(deps))
    .use(outbound(deps))
    .use(decisions(deps))
    .use(approvalLinks(deps))
    .use(audit(deps))
    .use(conversations(deps))
    .use(suppressions(deps))
    .use(socketRoutes(deps))
    .use(webhooks(deps))
    .use(deliveries(deps))
    .use(eventSchemaRoutes())
    .use(events(deps))
    .use(domains(deps))
    .use(mcp(deps))
    .use(docsPages(deps))
    .use(signIn(deps));
  routes.push(...(api.routes as unknown as Route[]));
  return api;
}

/** Starts the API, the WebSockets and the dashboard on one listener, and `/metrics` on another if configured. */
export async function startHttp(deps: HttpDeps): Promise<HttpListener> {
  const { config, store, clock } = deps;
  const closing = new AbortController();
  const sockets = createSockets(deps);
  const metrics = createMetrics(store, () => clock.now());
  const limits = createRateLimits(store, clock);
  const answers = createAnswers(deps);
  const api = createApi({ ...deps, limits, answers });
  const scheduler = createScheduler();
  const door = createDoor({ ...deps, limits, api, sockets, metrics, scheduler, closing: closing.signal });

  const { listenAddr, tlsCert, tlsKey } = config.http;
  const server: Server<SocketData> = Bun.serve<SocketData>({
    hostname: listenAddr.host || "::",
    port: listenAddr.port,
    idleTimeout: IDLE_TIMEOUT_SECONDS,
    // The door has its own limits, whose answers say so.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    ...(tlsCert && tlsKey ? { tls: { cert: Bun.file(tlsCert), key: Bun.file(tlsKey) } } : {}),
    // Otherwise Bun answers uncaught errors with a page that shows our source.
    development: false,
    error(error) {
      const id = newId("req");
      deps.log.error("http.failed", { request: id }, error);
      return problemResponse(asFailure(error), id);
    },
    fetch: door,
    websocket: sockets.handler,
  });
  const metricsServer = startMetrics(config, metrics);

  return {
    url: urlOf(server, listenAddr.host),
    port: server.port as number,
    metricsUrl: metricsServer ? `${urlOf(metricsServer, config.metrics.listenAddr?.host ?? "")}/metrics` : null,
    async close(graceMs) {
      closing.abort();
      await metricsServer?.stop(true);
      const ended = server.stop(false);
      const grace = Promise.withResolvers<void>();
      const timer = setTimeout(grace.resolve, graceMs);
      await Promise.race([ended, grace.promise]);
      clearTimeout(timer);
      await server.stop(true);
    },
  };
}

/** A URL that works on this machine: a wildcard address is not one to connect to. */
function urlOf(server: { port: number | undefined; protocol: string | null }, host: string): string {
  const name = ["", "0.0.0.0", "::"].includes(host) ? "localhost" : host;
  return `${server.protocol ?? "http"}://${name.includes(":") ? `[${name}]` : name}:${server.port}`;
}
