import type { Server, ServerWebSocket } from "bun";
import document from "../../docs/openapi.json" with { type: "json" };
import { complaints, type OpenApi, unknownInRequest } from "../api/openapi-check.ts";

/** A request that passed through the proxy. */
export interface ProxiedRequest {
  method: string;
  /** Below /api/v1, decoded. */
  path: string;
  query: Record<string, string>;
  body: unknown;
  headers: Headers;
  /** The answer's status, once there is an answer. */
  status?: number;
}

/** A proxy on loopback in front of a server. Records requests, and can give answers that the server does not. */
export interface ApiProxy extends AsyncDisposable {
  readonly url: string;
  readonly requests: ProxiedRequest[];
  /** Answers instead of the server; null lets the request through. */
  instead: (request: ProxiedRequest) => Response | null | undefined | Promise<Response | null | undefined>;
  /** Ids that clients acknowledged by WebSocket. */
  readonly acks: string[];
  /** Drops acknowledgements. */
  losesAcks: boolean;
  /** Closes all WebSockets. Without a code it breaks the connections, and answers waiting requests with 502. */
  drop(code?: number, reason?: string): void;
}

interface Tunnel {
  far: WebSocket;
  /** Frames that arrived before the other side was connected. */
  early: string[];
}

/**
 * Starts a proxy in front of the server at `url`. Requests, and successful JSON answers of `instead`, must conform to
 * docs/openapi.json; otherwise the proxy answers 500 and says what does not conform.
 */
export function startApiProxy(url: string): ApiProxy {
  const described = document as unknown as OpenApi;
  const tunnels = new Set<ServerWebSocket<Tunnel>>();
  let line = new AbortController();
  const proxy = {
    requests: [] as ProxiedRequest[],
    acks: [] as string[],
    losesAcks: false,
    instead: (() => null) as ApiProxy["instead"],
  };

  async function answer(request: Request, server: Server<Tunnel>): Promise<Response | undefined> {
    const { promise: seen, resolve: see } = Promise.withResolvers<ProxiedRequest>();
    const response = await answerTo(request, server, see);
    (await seen).status = response?.status ?? 101;
    return response;
  }

  async function answerTo(
    request: Request,
    server: Server<Tunnel>,
    see: (seen: ProxiedRequest) => void,
  ): Promise<Response | undefined> {
    const asked = new URL(request.url);
    const { method, headers } = request;
    const bytes = request.body ? await request.bytes() : null;
    const body = bytes ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
    const path = decodeURIComponent(asked.pathname).replace("/api/v1", "");
    const seen: ProxiedRequest = { method, path, query: Object.fromEntries(asked.searchParams), body, headers };
    proxy.requests.push(seen);
    see(seen);
    const unknown = unknownInRequest(described, method, asked, body);
    if (unknown.length > 0) return new Response(`Not in docs/openapi.json: ${unknown}`, { status: 500 });
    const own = await proxy.instead(seen);
    if (own) return own.ok ? checked(method, asked.pathname, own) : own;
    const onward = new URL(asked.pathname + asked.search, url);
    if (headers.get("upgrade") === "websocket") return tunnel(request, server, onward);
    headers.delete("host");
    const { signal } = line;
    const asking = fetch(onward, { method, headers, redirect: "manual", signal, ...(bytes ? { body: bytes } : {}) });
    return asking.catch(() => new Response("Bad gateway", { status: 502 }));
  }

  async function checked(method: string, path: string, own: Response): Promise<Response> {
    const contentType = own.headers.get("content-type");
    if (!contentType?.includes("json")) return own;
    const wrong = complaints(described, method, path, {
      ...{ status: own.status, contentType, body: await own.clone().json() },
    });
    return wrong.length > 0 ? new Response(wrong.join("\n"), { status: 500 }) : own;
  }

  /** Connects a WebSocket through; passes a refused handshake on unchanged. */
  async function tunnel(request: Request, server: Server<Tunnel>, onward: URL): Promise<Response | undefined> {
    const authorization = request.headers.get("authorization") ?? "";
    const far = new WebSocket(onward.href.replace(/^http/, "ws"), { headers: { authorization } });
    const early: string[] = [];
    far.addEventListener("message", ({ data }) => void early.push(String(data)));
    const opened = await new Promise<boolean>((resolve) => {
      far.addEventListener("open", () => resolve(true));
      for (const type of ["close", "error"] as const) far.addEventListener(type, () => resolve(false));
    });
    if (!opened) return fetch(onward, { headers: { authorization } });
    return server.upgrade(request, { data: { far, early } }) ? undefined : new Response(null, { status: 426 });
  }

  const server = Bun.serve<Tunnel>({
    ...{ port: 0, hostname: "127.0.0.1", idleTimeout: 0 },
    fetch: answer,
    websocket: {
      open(near) {
        tunnels.add(near);
        const { far, early } = near.data;
        for (const frame of early.splice(0)) near.send(frame);
        far.addEventListener("message", ({ data }) => void near.send(String(data)));
        far.addEventListener("close", ({ code, reason }) =>
          code === 1006 ? near.terminate() : near.close(code, reason),
        );
        if (far.readyState !== WebSocket.OPEN) near.terminate();
      },
      message(near, data) {
        proxy.acks.push(JSON.parse(String(data)).ack);
        if (!proxy.losesAcks) near.data.far.send(String(data));
      },
      close(near) {
        tunnels.delete(near);
        near.data.far.close();
      },
    },
  });

  return Object.assign(proxy, {
    url: `http://127.0.0.1:${server.port}`,
    drop(code?: number, reason?: string) {
      if (code === undefined) {
        line.abort();
        line = new AbortController();
      }
      for (const near of tunnels) code === undefined ? near.terminate() : near.close(code, reason);
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  });
}
