import type { Static } from "@sinclair/typebox";
import type { SessionRow } from "../../store/schema.ts";
import { Session } from "../../wire/session.ts";
import { optional, page } from "../../wire/words.ts";
import { answer, query } from "../framework/input.ts";
import { operation } from "../framework/openapi.ts";
import { cutPage, pageQuery } from "../framework/pages.ts";
import { notFound } from "../framework/problem.ts";
import { type RouteDeps, resource } from "../framework/resource.ts";
import { requireAccountKey } from "../resources/account/agents.ts";
import { sessionCookieHeader } from "./session-cookie.ts";

/** The routes for the browsers that are signed in to the account. */
export function sessions(deps: RouteDeps) {
  const { config, store, clock } = deps;

  return resource("/api/v1/sessions")
    .get(
      "",
      async ({ query, caller }) => {
        requireAccountKey(caller);
        const all = await store.listSessions(caller.user.id, new Date(clock.now()));
        const { rows, next } = await cutPage(deps.vault, query, ["sessions", caller.user.id], all);
        return {
          sessions: rows.map((row) => ({ ...sessionOnWire(row), current: row.id === caller.proofId })),
          ...next,
        };
      },
      {
        query: query(pageQuery),
        response: { 200: answer(page("sessions", Session)) },
        ...operation({
          id: "listSessions",
          tag: "account",
          summary: "List the browsers that are signed in",
          description: "Newest first; all of them unless `page_size` is given.",
          failures: ["forbidden"],
        }),
      },
    )
    .delete(
      "/:id",
      async ({ params, caller }) => {
        requireAccountKey(caller);
        if (!(await store.deleteSession(caller.user.id, params.id))) throw notFound("session");
        const mine = params.id === caller.proofId ? { "set-cookie": sessionCookieHeader(config, null) } : {};
        return new Response(null, { status: 204, headers: mine });
      },
      operation({
        id: "deleteSession",
        tag: "account",
        summary: "Sign a browser out",
        description: "At once, also its open WebSockets.",
        failures: ["forbidden"],
        produces: { status: 204, description: "Signed out" },
      }),
    );
}

/** A session as its account sees it, without credentials. */
export function sessionOnWire(row: SessionRow): Omit<Static<typeof Session>, "current"> {
  return {
    id: row.id,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt.toISOString(),
    ...optional("last_used_at", row.lastUsedAt?.toISOString()),
    ...optional("user_agent", row.userAgent ?? undefined),
    ...optional("ip", row.ip ?? undefined),
  };
}
