import { Type } from "@sinclair/typebox";
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";
import { Failure } from "../errors.ts";
import type { Listened, Proof } from "../notify/consumer.ts";
import type { HubConnection } from "../notify/hub.ts";
import { ownAgent } from "./agents.ts";
import type { Identity } from "./identity.ts";
import { query, text } from "./input.ts";
import { operation } from "./openapi.ts";
import { type HttpDeps, type RouteDeps, resource } from "./resource.ts";

/** An ack is 45 characters; nothing a client may say is near this. */
const FRAME_BYTES_MAX = 16 * 1024;
/**
 * What may wait in memory for one socket, before what is more is dropped. The hub sends one frame after the other, so only
 * answers to pings of a client that does not read get here.
 */
const WAITING_BYTES_MAX = 64 * 1024;
/** A client with as many sockets as it may have is told to come back when one may have closed. */
const RETRY_AFTER_SECONDS = 30;

export const socketPath = "/api/v1/agents/:email/ws";

/** What travels with a socket from its handshake. */
export interface SocketData {
  readonly agent: Listened;
  readonly proof: Proof;
  connection?: HubConnection;
}

/** The path as plain HTTP sees it: documented, and 426 for a valid key without an upgrade. */
export function socketRoute(deps: RouteDeps) {
  return resource(deps, "/api/v1/agents").get(
    "/:email/ws",
    async ({ params, caller }): Promise<Response> => {
      await ownAgent(deps.store, caller, params.email);
      throw new Failure("upgrade_required", "This path speaks WebSocket.", {
        fix: "Connect with a WebSocket client, or poll GET /api/v1/agents/{email}/messages/wait.",
      });
    },
    {
      query: query({
        token: Type.Optional(text({ max: 128, description: "The API key, where headers cannot be set." })),
      }),
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
  );
}

/** The sockets of this process: the handshake, and what Bun calls for each. */
export function createSockets({ store, hub, config }: HttpDeps) {
  const open = new Map<string, number>();
  const count = (proofId: string, by: number) => {
    const next = (open.get(proofId) ?? 0) + by;
    if (next > 0) open.set(proofId, next);
    else open.delete(proofId);
  };

  const handler: WebSocketHandler<SocketData> = {
    maxPayloadLength: FRAME_BYTES_MAX,
    backpressureLimit: WAITING_BYTES_MAX,
    // The hub pings, and closes what does not answer.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    open(socket: ServerWebSocket<SocketData>) {
      socket.data.connection = hub.attach(socket.data.agent, socket.data.proof, socket);
    },
    message(socket, message) {
      if (typeof message === "string") socket.data.connection?.onMessage(message);
    },
    pong(socket) {
      socket.data.connection?.onPong();
    },
    drain(socket) {
      socket.data.connection?.onDrain();
    },
    close(socket) {
      count(socket.data.proof.id, -1);
      socket.data.connection?.onClose();
    },
  };

  return {
    handler,
    /** Turns the request into a socket. Failures: `not_found`, `rate_limited`, `upgrade_required`. */
    async upgrade(request: Request, server: Server<SocketData>, caller: Identity, address: string): Promise<void> {
      const { id, userId, createdAt } = await ownAgent(store, caller, address);
      // One that takes the place of the caller's own is not one more: the older may be dead without our knowing.
      const others = (open.get(caller.proofId) ?? 0) - (hub.listens(id, caller.proofId) ? 1 : 0);
      if (others >= config.limits.websocketsPerKey)
        throw new Failure("rate_limited", `This key has ${config.limits.websocketsPerKey} open WebSockets.`, {
          fix: "Close one that is not used.",
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      count(caller.proofId, +1);
      const agent = { id, userId, createdAt };
      const proof = { id: caller.proofId, via: caller.via, expiresAt: caller.expiresAt };
      if (server.upgrade(request, { data: { agent, proof } })) return;
      count(caller.proofId, -1);
      throw new Failure("upgrade_required", "The WebSocket handshake is not complete.", {
        fix: "Send Sec-WebSocket-Key and Sec-WebSocket-Version: 13 (RFC 6455 4.1).",
      });
    },
  };
}
