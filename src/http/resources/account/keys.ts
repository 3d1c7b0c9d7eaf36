import { type Static, Type } from "@sinclair/typebox";
import { issueKey } from "../../../accounts.ts";
import { mayUse } from "../../../store/accounts/accounts.ts";
import type { ApiKeyRow } from "../../../store/schema.ts";
import { ApiKey, NewApiKey } from "../../../wire/key.ts";
import { page } from "../../../wire/words.ts";
import { answer, body, choice, invalid, query, text, time } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { cutPage, pageQuery } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { requireAccountKey } from "./agents.ts";

export function keys(deps: RouteDeps) {
  const { store, clock } = deps;
  const NewKey = body(
    {
      name: text({ min: 1, max: 100, description: "What it is for." }),
      scope: choice(["account", "agent"], { description: "`agent`: only this inbox, and sending from it." }),
      agent: Type.Optional(text({ max: 254, description: "The agent's address, for scope `agent`." })),
      expires_at: Type.Optional(time()),
    },
    ({ scope, agent, expires_at }, complain, isWrong) => {
      if (scope === "account" && agent !== undefined) complain("agent", "goes with scope agent only");
      if (scope === "agent" && agent === undefined && !isWrong("agent"))
        complain("agent", "is required for scope agent");
      if (expires_at && expires_at.getTime() <= clock.now()) complain("expires_at", "must be in the future");
    },
  );

  return resource("/api/v1/keys")
    .get(
      "",
      async ({ query, caller }) => {
        requireAccountKey(caller);
        const all = await store.listKeys(caller.user.id);
        const { rows, next } = await cutPage(deps.vault, query, ["keys", caller.user.id], all);
        return { keys: rows.map(keyOnWire), ...next };
      },
      {
        query: query(pageQuery),
        response: { 200: answer(page("keys", ApiKey)) },
        ...operation({
          id: "listKeys",
          tag: "keys",
          summary: "List API keys",
          description: "Newest first; all of them unless `page_size` is given.",
          failures: ["forbidden"],
        }),
      },
    )
    .post(
      "",
      async ({ body, caller, exchange, status }) => {
        requireAccountKey(caller);
        const now = new Date(clock.now());
        const agent = body.agent === undefined ? null : await store.getAgent(body.agent.toLowerCase());
        if (body.agent !== undefined && !(agent && mayUse(caller, agent)))
          throw invalid([{ field: "agent", message: "must be an agent of yours" }]);
        const shown = ({ row, key }: { row: ApiKeyRow; key: string }) => ({ ...keyOnWire(row), key });
        const issued = await issueKey(
          store,
          {
            userId: caller.user.id,
            name: body.name,
            scope: body.scope,
            agentId: agent?.id ?? null,
            expiresAt: body.expires_at ?? null,
            now,
          },
          (issued) => exchange.keep(201, shown(issued)),
        );
        return status(201, shown(issued));
      },
      {
        body: NewKey,
        response: { 201: answer(NewApiKey) },
        ...operation({
          id: "createKey",
          tag: "keys",
          summary: "Create an API key",
          description: "The key is shown only in this answer; its hash is stored.",
          failures: ["forbidden", "conflict"],
          example: { name: "inbox reader", scope: "agent", agent: "my-bot@agents.example.com" },
        }),
      },
    )
    .delete(
      "/:id",
      async ({ params, caller }) => {
        requireAccountKey(caller);
        if (!(await store.deleteKey(caller.user.id, params.id))) throw notFound("key");
        return new Response(null, { status: 204 });
      },
      operation({
        id: "deleteKey",
        tag: "keys",
        summary: "Revoke an API key",
        description: "At once, also for open WebSockets and for browsers that signed in with it.",
        failures: ["forbidden"],
        produces: { status: 204, description: "Revoked" },
      }),
    );
}

export function keyOnWire(row: ApiKeyRow): Static<typeof ApiKey> {
  return {
    id: row.id,
    name: row.name,
    scope: row.scope,
    agent: row.agentId,
    key_prefix: row.keyPrefix,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt?.toISOString() ?? null,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
  };
}
