import type { Server } from "bun";
import type { AnyElysia } from "elysia";
import { asFailure, Failure } from "../../util/errors.ts";
import { newId } from "../../util/id.ts";
import { streamOf } from "../../util/pieces.ts";
import { BodyBudget, type BodyHold, readBody, SMALL_BODY_BYTES_MAX, WholeBody } from "../body/body.ts";
import { JsonBodyReader, parseJson } from "../body/json-body.ts";
import { dashboardResponse } from "../pages/dashboard.ts";
import { failurePage } from "../sign-in/pages.ts";
import { callRoute } from "./call.ts";
import { createIdempotency, type KeepAnswer, keepNothing, RequestHash } from "./idempotency.ts";
import { createClientAddress, createIdentify, type Identity, requireOwnOrigin, watchStanding } from "./identity.ts";
import { JsonBody } from "./input.ts";
import type { RateLimits } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import type { Route } from "./openapi.ts";
import { MethodNotAllowed, problemResponse } from "./problem.ts";
import { requestUrl } from "./request-url.ts";
import type { Exchange, HttpDeps } from "./resource.ts";
import { createRouteTable } from "./route-table.ts";
import { createSlots, type Party, type Scheduler } from "./scheduler.ts";
import { type createSockets, isSocketPath, type SocketData } from "./websocket.ts";

/** A body without a key comes from one of our forms, or is refused; no public route needs more. */
const PUBLIC_BODY_BYTES_MAX = 64 * 1024;
/** Paths for programs: they need a key unless the route says otherwise, and their failures are JSON. */
const programPath = /^\/(?:api\/|mcp$)/;
/** Messages read whole at the same time: each has up to 25 MB, and its parts as much again. */
const WHOLE_MESSAGES_MAX = 4;
/** Lists read from SQLite at the same time: one for each reader thread. */
const SQLITE_LISTS_MAX = 2;
/** The share of the Postgres connections for lists: half of those that read. The others are for single messages. */
const LISTS_SHARE = 0.25;
/** Requests by load balancers. The whole URL is matched, because its host may be anything. */
const probePath = /^https?:\/\/[^/?#]*\/api\/(?:health|ready)(?:$|\?)/;
/** Characters of a path in the log, at most. */
const LOGGED_PATH_CHARS_MAX = 200;
/** The form of keys and signing secrets; a client may have put one into the path by mistake. */
const secretInPath = /[0-9a-f]{64}/gi;

export interface DoorOptions extends HttpDeps {
  api: AnyElysia;
  sockets: ReturnType<typeof createSockets>;
  metrics: Metrics;
  limits: RateLimits;
  scheduler: Scheduler;
  /** Aborts when the server stops. */
  closing: AbortSignal;
}

/**
 * Handles every request: find the route → authenticate → check the rate limits → read the body → authenticate again →
 * check the Idempotency-Key → call the route.
 *
 * The door uses the routes that are declared with Elysia but calls their handlers itself. Elysia's own dispatch parses
 * a body before any hook that knows the route, while a body without a key must be answered 401 whatever is in it,
 * unread.
 */
export function createDoor(options: DoorOptions) {
  const { api, sockets, config, log, metrics, limits, scheduler } = options;
  const identify = createIdentify(options);
  const idempotency = createIdempotency(options);
  const clientAddress = createClientAddress(config.http.trustedProxies);
  const bodies = new BodyBudget(config.http.maxBytesInHand);
  const wholeMessages = {
    server: createSlots(WHOLE_MESSAGES_MAX, options.clock),
    child: createSlots(WHOLE_MESSAGES_MAX, options.clock),
  };
  const { database } = config;
  const listsMax =
    database.kind === "sqlite" ? SQLITE_LISTS_MAX : Math.max(1, Math.floor(database.poolSize * LISTS_SHARE));
  const lists = createSlots(
    listsMax,
    options.clock,
    // A search may take seconds. One account never holds all that reads.
    Math.max(1, Math.floor(listsMax / 2)),
  );
  const answersInHand = new BodyBudget(config.http.maxBytesInHand, 1);
  const find = createRouteTable(api.routes as unknown as Route[]);

  async function answer(
    request: Request,
    server: Server<SocketData> | null,
    visit: Visit,
  ): Promise<Response | undefined> {
    const url = requestUrl(request);
    visit.path = url.pathname;
    const path = decodedPath(url);
    const method = request.method === "HEAD" ? "GET" : request.method;
    const found = find(method, url.pathname);
    if (!found) {
      const file = method === "GET" ? dashboardResponse(path, request.headers) : null;
      if (file) return file;
      throw new Failure("not_found", "There is nothing at this path.", { fix: "GET /api/docs lists what there is." });
    }
    if ("allowed" in found) throw new MethodNotAllowed(request.method, found.allowed);
    const { route, params } = found;
    visit.route = route.path;

    const about = route.hooks.detail?.operation;
    const isPublic = about?.public ?? !programPath.test(route.path);
    const isPage = isPublic && (!programPath.test(route.path) || about?.produces?.type === "text/html");
    visit.isPage = isPage;
    const isSocket = isSocketPath(route.path);
    let identity: Identity | null = null;
    let requireStanding = async () => {};
    if (!isPublic) {
      identity = await identify.caller(request, visit.clientIp, isSocket ? url.searchParams.getAll("token") : []);
      visit.identity = identity;
      requireStanding = watchStanding(options, identity);
      await limits.take("proof", identity.proofId, config.limits.apiRequestsPerMinute);
    }
    if (
      server &&
      identity &&
      isSocket &&
      request.method === "GET" &&
      request.headers.get("upgrade")?.toLowerCase() === "websocket"
    ) {
      // Browsers let any page open a socket to any server, cookies included (RFC 6455 10.2).
      if (identity.via === "session") requireOwnOrigin(request, config.http.publicUrl);
      await sockets.upgrade(request, server, identity, { path: route.path, params, query: url.searchParams });
      return undefined;
    }

    const takesAttachments = route.hooks.detail?.takesAttachments ?? about?.takesAttachments ?? false;
    const bytesMax = Math.min(
      takesAttachments ? Number.MAX_SAFE_INTEGER : SMALL_BODY_BYTES_MAX,
      route.hooks.detail?.bodyBytesMax ?? Number.MAX_SAFE_INTEGER,
      config.http.maxBodySize,
    );
    // A request that a route makes itself (`ask`) uses the memory reserved for the outer request.
    const holder = { id: identity?.proofId ?? visit.clientIp, account: identity?.user.id ?? null };
    visit.hold = server ? bodies.open(holder) : null;
    const wantsBody = route.hooks.body !== undefined;
    const whole = new WholeBody(wantsBody || takesAttachments);
    const json =
      wantsBody && takesAttachments ? new JsonBodyReader(Number(request.headers.get("content-length")) || 0) : null;
    const hash = new RequestHash(request, identity);
    const taker = {
      push(piece: Uint8Array) {
        if (identity) hash.update(piece);
        (json ?? whole).push(piece);
      },
    };
    const length = await readBody(request, taker, {
      bytesMax: identity ? bytesMax : PUBLIC_BODY_BYTES_MAX,
      hold: visit.hold,
      clock: options.clock,
      turn: () => scheduler.take(visit.party),
    });
    // A key that is revoked while its body arrives must give no access any more, stored answers included.
    await requireStanding();
    const wantsJson = wantsBody && length > 0;
    if (wantsJson) requireJson(request);
    const body = whole.bytes;
    const run = async (keep: KeepAnswer) => {
      const exchange: Exchange = {
        id: visit.id,
        clientIp: visit.clientIp,
        identity,
        body,
        keep,
        method: request.method,
        url,
        turn: () => scheduler.take(visit.party),
        requireStanding,
        withWholeMessage: (work, by = "server") =>
          wholeMessages[by](visit.party, async () => {
            // Reading a message may mark it read.
            await requireStanding();
            return work();
          }),
        inListSlot: (work) => (identity ? lists(partyOf(identity), work) : work()),
        reserve(bytes) {
          // One hold with the body: the largest message always fits if its request is the only one.
          visit.hold ??= bodies.open(holder);
          visit.hold.add(bytes);
        },
        keepAnswers: () => answersInHand.open(holder),
        inPieces(pieces, bytes) {
          const hold = answersInHand.open(holder);
          hold.reserve(bytes);
          return streamOf(
            pieces,
            () => scheduler.take(visit.party),
            () => hold.release(),
          );
        },
        get requestHash() {
          return hash.digest();
        },
        get clientHasGone() {
          return request.signal.aborted;
        },
        isPage,
        isInner: server === null,
        // Made on demand: few routes wait, and each such signal stays attached to `closing` until the server stops.
        get signal() {
          return AbortSignal.any([request.signal, options.closing]);
        },
        ask: async (further) => (await take(further, null, visit.party)) as Response,
      };
      const headers: Record<string, string> = {};
      const response = await respond(async () => {
        const given = wantsJson ? new JsonBody(json ? json.end() : parseJson(body)) : undefined;
        return callRoute(route, request, exchange, params, given, headers);
      }, visit);
      for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
      // An answer that was read while the key was being revoked must not be sent.
      if (method === "GET") await requireStanding().catch((error) => withdrawn(response, error));
      // The key belongs to another request; repeating that request must not find this answer under the key.
      if (visit.failure?.code === "idempotency_key_reused") throw visit.failure;
      return response;
    };
    if (identity && method === "POST") return idempotency.once(request, identity, hash, run);
    if (!identity || method !== "GET" || !isList(route, url)) return run(keepNothing);
    return lists(partyOf(identity), async () => {
      if (request.signal.aborted) return gone();
      await requireStanding();
      return run(keepNothing);
    });
  }

  return async (request: Request, server: Server<SocketData>): Promise<Response | undefined> => {
    const peer = server.requestIP(request);
    const lane = probePath.test(request.url) ? "probe" : "client";
    const address = clientAddress(peer?.address ?? "", request);
    const party: Party = { lane, address, connection: `${peer?.port}` };
    await scheduler.take(party);
    // The client is gone and the request changes nothing (RFC 9110 9.2.1).
    if (request.signal.aborted && ["GET", "HEAD"].includes(request.method)) return gone();
    return take(request, server, party);
  };

  /** Answers a request and logs it. Undefined if it became a WebSocket, which needs a `server`. */
  async function take(
    request: Request,
    server: Server<SocketData> | null,
    party: Party,
  ): Promise<Response | undefined> {
    const visit: Visit = {
      id: newId("req"),
      clientIp: party.address,
      party,
      route: "",
      path: "",
      isPage: false,
      identity: null,
    };
    const startedAt = performance.now();
    let response: Response | undefined;
    try {
      response = await respond(() => answer(request, server, visit), visit);
    } finally {
      visit.hold?.release();
    }
    const status = response?.status ?? 101;
    const durationMs = performance.now() - startedAt;
    metrics.request(request.method, visit.route, status, durationMs);
    const fields = {
      request: visit.id,
      method: request.method,
      path: visit.path.replace(secretInPath, "…").slice(0, LOGGED_PATH_CHARS_MAX),
      status,
      ms: Math.round(durationMs),
      by: visit.identity?.proofId,
      ip: visit.clientIp,
    };
    const cause = visit.failure?.details.cause ?? visit.failure;
    // The upstream refused, which is not our failure and already in the log.
    if (visit.failure?.code === "upstream_rejected") log.info("http.request", fields);
    else if (status === 503) log.warn("http.unavailable", fields, cause);
    else if (status >= 500) log.error("http.failed", fields, cause);
    else if (visit.route.endsWith("/health") || visit.route.endsWith("/ready")) log.debug("http.request", fields);
    else log.info("http.request", fields);
    if (!response) return undefined;
    finish(response, visit.id);
    if (request.method !== "HEAD") return response;
    const { body } = response;
    const withoutBody = new Response(null, response);
    await body?.cancel();
    return withoutBody;
  }
}

/** The party of a search, which may scan a whole inbox: accounts take turns, and within an account its keys. */
function partyOf(identity: Identity): Party {
  return { lane: "client", address: identity.user.id, connection: identity.proofId };
}

/** What the log records of a request. */
interface Visit {
  readonly id: string;
  readonly clientIp: string;
  /** The party in whose turns its work is done. */
  readonly party: Party;
  /** The pattern of the route; "" if no route matches. */
  route: string;
  /** "" if the request has no valid URL. */
  path: string;
  isPage: boolean;
  identity: Identity | null;
  /** The memory reserved for its body, and for what it takes from stored messages. */
  hold?: BodyHold | null;
  failure?: Failure | undefined;
}

/**
 * Returns the result of `work`. Answers a failure with a problem document, or with a page if the route is one, and
 * notes it for the log.
 */
async function respond<R extends Response | undefined>(work: () => Promise<R>, visit: Visit): Promise<R | Response> {
  try {
    return await work();
  } catch (error) {
    const failure = asFailure(error);
    visit.failure = failure;
    const response = visit.isPage ? failurePage(failure) : problemResponse(failure, visit.id);
    if (failure instanceof MethodNotAllowed) response.headers.set("allow", failure.allowed.join(", "));
    return response;
  }
}

/**
 * Whether a request reads a page of a list, or counts what an account has, from beginning to end. A request that waits
 * for news looks at a few rows. One for what waits for approval takes a slot only to read its rows (`inListSlot`).
 */
function isList({ path, hooks }: Route, url: URL): boolean {
  if (path === "/api/v1/overview") return true;
  const { searchParams } = url;
  const isPending = path === "/api/v1/messages" && searchParams.get("status") === "pending_approval";
  if (isPending || Number(searchParams.get("wait")) > 0) return false;
  return hooks.query?.schema.properties?.page_size !== undefined;
}

/** Throws the failure in place of an answer, whose memory is freed. */
async function withdrawn(response: Response, failure: unknown): Promise<never> {
  await response.body?.cancel();
  throw failure;
}

/** The answer for a client that has closed its connection. */
function gone(): Response {
  return new Response(null, { status: 499 });
}

/** Adds the request id, and forbids sniffing, and storing unless the answer says otherwise. */
function finish(response: Response, requestId: string): void {
  const { headers } = response;
  headers.set("x-request-id", requestId);
  headers.set("x-content-type-options", "nosniff");
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
}

/** The path, percent-decoded. Failure `invalid_request` for escapes that are not valid UTF-8, and for NUL. */
function decodedPath(url: URL): string {
  try {
    decodeURIComponent(url.search.replaceAll("+", " "));
    const path = decodeURIComponent(url.pathname);
    if (!path.includes("\0")) return path;
  } catch {
    // Refused below, as NUL is.
  }
  throw new Failure("invalid_request", "The URL has percent-escapes that are not valid UTF-8.", {
    fix: "Escape UTF-8, byte by byte (RFC 3986 2.5).",
  });
}

function requireJson(request: Request): void {
  const coding = request.headers.get("content-encoding");
  if (coding !== null && coding.toLowerCase() !== "identity")
    throw new Failure("unsupported_media_type", `Bodies with Content-Encoding ${coding.slice(0, 100)} are not read.`, {
      fix: "Send the JSON as it is.",
    });
  const type = request.headers.get("content-type");
  if (type === null || /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type.trim())) return;
  throw new Failure("unsupported_media_type", `This takes JSON, not ${type.slice(0, 100)}.`, {
    fix: "Send `Content-Type: application/json`.",
  });
}
