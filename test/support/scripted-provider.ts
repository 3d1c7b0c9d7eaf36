import { createSign, generateKeyPairSync } from "node:crypto";
import type { Server } from "bun";

export interface ScriptedProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly clientId: string;
  /** Claims of the ID token, in addition to those that every ID token has. */
  idToken: Record<string, unknown>;
  userInfo: Record<string, unknown>;
  /** The path with an endless answer. */
  endless: string | null;
  /** How many bytes of endless answers the client has read. */
  taken(): number;
}

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" };
const pieceBytes = 64 * 1024;
/** Where an endless answer ends, for a client that keeps reading. */
const endlessBytes = 64 * 1024 * 1024;

/** Starts an OpenID provider on loopback with scripted answers, including ones that no provider should give. */
export function startScriptedProvider(): ScriptedProvider {
  let taken = 0;
  /** The nonce of each sign-in, by its code. */
  const nonces: string[] = [];
  const it = { clientId: "e2a", idToken: {}, userInfo: {}, endless: null as string | null };

  const server: Server<undefined> = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request): Promise<Response> {
      const url = new URL(request.url);
      if (url.pathname === it.endless) return endless();
      switch (url.pathname) {
        case "/.well-known/openid-configuration":
          return Response.json({
            ...{ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` },
            ...{ userinfo_endpoint: `${issuer}/me`, jwks_uri: `${issuer}/keys`, response_types_supported: ["code"] },
          });
        case "/auth": {
          const { redirect_uri = "", state = "", nonce = "" } = Object.fromEntries(url.searchParams);
          const code = `${nonces.push(nonce) - 1}`;
          return Response.redirect(`${redirect_uri}?${new URLSearchParams({ code, state })}`);
        }
        case "/token": {
          const code = new URLSearchParams(await request.text()).get("code") ?? "";
          const id_token = signed({ nonce: nonces[Number(code)], ...it.idToken });
          return Response.json({ access_token: "one", token_type: "Bearer", id_token });
        }
        case "/me":
          return Response.json({ sub: "ann", ...it.userInfo });
        case "/keys":
          return Response.json({ keys: [jwk] });
      }
      return new Response(null, { status: 404 });
    },
  });
  const issuer: string = `http://127.0.0.1:${server.port}`;

  function signed(claims: object): string {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: issuer, aud: it.clientId, sub: "ann", iat: now, exp: now + 300, ...claims };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${part({ alg: "RS256", kid: jwk.kid })}.${part(all)}`;
    return `${text}.${createSign("RSA-SHA256").update(text).sign(privateKey).toString("base64url")}`;
  }

  function endless(): Response {
    const piece = new Uint8Array(pieceBytes).fill(0x20);
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      if (taken >= endlessBytes) return controller.close();
      taken += piece.length;
      controller.enqueue(piece);
    };
    return new Response(new ReadableStream({ pull }), { headers: { "content-type": "application/json" } });
  }

  return Object.assign(it, {
    issuer,
    taken: () => taken,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  });
}
