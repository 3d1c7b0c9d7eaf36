import { createSign, generateKeyPairSync } from "node:crypto";
import type { Server } from "bun";

export interface ScriptedProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly clientId: string;
  /** Claims of the ID token, over those that every one has. */
  idToken: Record<string, unknown>;
  userInfo: Record<string, unknown>;
  /** The path whose answer has no end. */
  endless: string | null;
  /** Bytes of such answers that were taken. */
  taken(): number;
}

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwk = { ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" };
const pieceBytes = 64 * 1024;
/** Where "without end" ends, for a client that reads on. */
const endlessBytes = 64 * 1024 * 1024;

/** An OpenID provider on loopback that says what a test wants it to, also what no provider should. */
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
