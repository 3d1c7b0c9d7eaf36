/** Signed-in browsers: signing in with a key, listing, signing out. The pages' tests are beside their source. */
import { describe, expect, test } from "bun:test";
import type { ApiWorld } from "./world.ts";

export function signInCases(it: ApiWorld): void {
  describe("browsers", () => {
    /** A browser that has signed in with this account key: its cookie, and calls with it from the server's pages. */
    async function browser(apiKey: string) {
      const origin = it.server.url;
      const anybody = it.api.as(null);
      const answer = await anybody.post("/api/auth/key", { api_key: apiKey }, { headers: { origin } });
      expect(answer.status).toBe(200);
      const cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? "";
      return (method: string, path: string, body?: unknown) =>
        anybody.call(method, path, { body, headers: { origin, cookie, "user-agent": "Browser/1" } });
    }

    test("sign in with an account key, are listed, and sign out", async () => {
      const key = await it.server.newAccount();
      const mine = it.api.as(key);
      const [one, other] = [await browser(key), await browser(key)];
      const { body: me } = await one("GET", "/api/auth/me");
      expect(me.user).toMatchObject({ id: (await mine.get("/api/v1/users/me")).body.id });
      const { body: listed } = await one("GET", "/api/v1/sessions");
      expect(listed.sessions.map((row: { current: boolean }) => row.current)).toEqual([false, true]);
      expect(listed.sessions[1]).toMatchObject({ id: me.session.id, expires_at: me.session.expires_at });

      expect((await mine.get("/api/v1/users/me/export")).body.sessions).toHaveLength(2);
      const foreign = it.api.as(await it.server.newAccount());
      expect((await foreign.delete(`/api/v1/sessions/${me.session.id}`)).status).toBe(404);
      expect((await mine.delete(`/api/v1/sessions/${listed.sessions[0].id}`)).status).toBe(204);
      expect((await other("GET", "/api/auth/me")).status).toBe(401);
      expect((await one("POST", "/api/auth/logout")).status).toBe(204);
      expect((await one("GET", "/api/v1/agents")).status).toBe(401);
      expect((await mine.get("/api/v1/sessions")).body.sessions).toEqual([]);
    });

    test("are none of an agent key's business", async () => {
      const own = it.api.as(await it.agentKey(await it.newAgent()));
      expect((await own.get("/api/v1/sessions")).status).toBe(403);
      const headers = { origin: it.server.url };
      expect((await own.post("/api/auth/key", { api_key: own.key }, { headers })).body.code).toBe("forbidden");
    });

    test("end with the key that signed them in", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const { body: made } = await mine.post("/api/v1/keys", { name: "k", scope: "account" });
      const signedIn = await browser(made.key);
      expect((await signedIn("GET", "/api/v1/agents")).status).toBe(200);
      expect((await signedIn("DELETE", `/api/v1/keys/${made.id}`)).status).toBe(204);
      expect((await signedIn("GET", "/api/v1/agents")).status).toBe(401);
    });

    test("can be told which ways in there are", async () => {
      const { body } = await it.api.as(null).get("/api/auth/methods");
      expect(body).toEqual({ first_account: false, google: false, oidc: null, email_link: true });
    });
  });
}
