import { Type } from "@sinclair/typebox";
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import type { HubConnection } from "../../notify/hub.ts";
import type { HubSocket } from "../../notify/live-socket.ts";
import { Failure } from "../../util/errors.ts";
import { Tally } from "../../util/tally.ts";
import { ownAgent } from "../resources/account/agents.ts";
import { eventFilter, eventsWanted } from "../resources/account/events.ts";
import type { Identity } from "./identity.ts";
import { query, text } from "./input.ts";
import { operation } from "./openapi.ts";
import { type HttpDeps, type RouteDeps, resource } from "./resource.ts";

/** An ack has 45 characters; nothing that a client may send comes near this. */
const FRAME_BYTES_MAX = 16 * 1024;
/**
 * How much may wait in memory for one socket; anything beyond is dropped. The hub sends one frame after the other, so
 * only answers to the pings of a client that does not read can reach this.
 */
const WAITING_BYTES_MAX = 64 * 1024;
/** How long a client with all its sockets in use is told to wait; one may have closed by then. */
const RETRY_AFTER_SECONDS = 30;

const agentPath = "/api/v1/agents/:email/ws";
const eventsPath = "/api/v1/events/ws";

/** Whether a route, by its pattern, is for WebSockets. */
export function isSocketPath(path: string): boolean {
  return path === agentPath || path === eventsPath;
}

/** What a socket keeps from its handshake. */
export interface SocketData {
  readonly proofId: string;
  /** Hands the socket to the hub once it is open. */
  readonly attach: (socket: HubSocket) => HubConnection;
  connection?: HubConnection;
}

const token = Type.Optional(text({ max: 128, description: "The API key, where headers cannot be set." }));
const ListenQuery = query({ token });
const FollowQuery = query({ token, ...eventFilter });

function upgradeRequired(fix: string): Failure {
  return new Failure("upgrade_required", "This path speaks WebSocket.", { fix });
}

/** The WebSocket paths for plain HTTP: documented, and answered 426 for a valid key without an upgrade. */
export function socketRoutes(deps: RouteDeps) {
  return resource("/api/v1")
    .get(
      "/agents/:email/ws",
      async ({ params, caller }): Promise<Response> => {
        await ownAgent(deps.store, caller, params.email);
        throw upgradeRequired("Connect with a WebSocket client, or poll GET /api/v1/agents/{email}/messages/wait.");
      },
      {
        query: ListenQuery,
        ...operation({
          id: "listen",
          tag: "messages",
          summary: "Hear of new messages on a WebSocket",
          description:
            'Unread messages first, then live ones, each a text frame with `message_id`, `from`, `subject` and more. `{"ack":"msg_…"}` ' +
            "marks one read. One consumer an agent: a newer one closes the older with 4000.",
          failures: ["upgrade_required"],
          produces: { status: 101, description: "The WebSocket is open" },
        }),
      },
    )
    .get(
      "/events/ws",
      async ({ query, caller }): Promise<Response> => {
        await eventsWanted(deps.store, caller, query);
        throw upgradeRequired("Connect with a WebSocket client, or poll GET /api/v1/events with `wait`.");
      },
      {
        query: FollowQuery,
        ...operation({
          id: "followEvents",
          tag: "events",
          summary: "Follow the event log on a WebSocket",
          description:
            "What came after `after`, then live; without it live from now on. Each event is a text frame. Any number of " +
            "clients may follow; one that reads too slowly is closed with 1013 and goes on from its last event.",
          failures: ["upgrade_required", "not_found"],
          produces: { status: 101, description: "The WebSocket is open" },
        }),
      },
    );
}

/** The sockets of this process: the handshake, and the callbacks that Bun calls for each. */
export function createSockets({ store, hub, config }: HttpDeps) {
  const open = new Tally();

  const handler: WebSocketHandler<SocketData> = {
    maxPayloadLength: FRAME_BYTES_MAX,
    backpressureLimit: WAITING_BYTES_MAX,
    // The hub sends pings, and closes sockets that do not answer.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    open(socket: ServerWebSocket<SocketData>) {
      socket.data.connection = socket.data.attach(socket);
    },
    message(socket, message) {
      socket.data.connection?.onMessage(typeof message === "string" ? message : null);
    },
    ping(socket) {
      socket.data.connection?.onPing();
    },
    pong(socket) {
      socket.data.connection?.onPong();
    },
    drain(socket) {
      socket.data.connection?.onDrain();
    },
    close(socket) {
      open.add(socket.data.proofId, -1);
      socket.data.connection?.onClose();
    },
  };

  /**
   * Checks the request and says which stream the socket gets. `isInstead`: it replaces a socket of this caller, which
   * may be dead without our knowing.
   */
  async function admitted(
    caller: Identity,
    visit: SocketVisit,
  ): Promise<Pick<SocketData, "attach"> & { isInstead: boolean }> {
    const proof = { id: caller.proofId, via: caller.via, expiresAt: caller.expiresAt };
    if (visit.path === agentPath) {
      ListenQuery["~standard"].validate(Object.fromEntries(visit.query));
      const { id, userId, createdAt } = await ownAgent(store, caller, visit.params.email ?? "");
      const isInstead = hub.listens(id, caller.proofId);
      return { isInstead, attach: (socket) => hub.attach({ id, userId, createdAt }, proof, socket) };
    }
    const { value: asked } = FollowQuery["~standard"].validate(Object.fromEntries(visit.query));
    const wanted = await eventsWanted(store, caller, asked);
    const after = wanted.after ?? (await store.lastPosition(wanted.owner)) ?? { xid: 0, seq: 0 };
    return { isInstead: false, attach: (socket) => hub.follow({ ...wanted, after }, proof, socket) };
  }

  return {
    handler,
    /** Turns the request into a socket. Failures: `invalid_request`, `not_found`, `rate_limited`, `upgrade_required`. */
    async upgrade(request: Request, server: Server<SocketData>, caller: Identity, visit: SocketVisit): Promise<void> {
      const { attach, isInstead } = await admitted(caller, visit);
      if (open.of(caller.proofId) - (isInstead ? 1 : 0) >= config.limits.websocketsPerKey)
        throw new Failure("rate_limited", `This key has ${config.limits.websocketsPerKey} open WebSockets.`, {
          fix: "Close one that is not used.",
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      open.add(caller.proofId, +1);
      if (server.upgrade(request, { data: { proofId: caller.proofId, attach } })) return;
      open.add(caller.proofId, -1);
      throw new Failure("upgrade_required", "The WebSocket handshake is not complete.", {
        fix: "Send Sec-WebSocket-Key and Sec-WebSocket-Version: 13 (RFC 6455 4.1).",
      });
    },
  };
}

/** The parts of a request that say which stream a socket gets. */
interface SocketVisit {
  /** The route's pattern. */
  readonly path: string;
  readonly params: Record<string, string | undefined>;
  readonly query: URLSearchParams;
}
