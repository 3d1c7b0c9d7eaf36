import { Type } from "@sinclair/typebox";
import { Me } from "../../../wire/account.ts";
import { answer, body, choice, flag, query } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { sessionCookieHeader } from "../../sign-in/session-cookie.ts";
import { requireAccountKey } from "./agents.ts";
import { exportAccount } from "./export.ts";
import { userOnWire } from "./user-wire.ts";

/** The routes for the account itself. */
export function account(deps: RouteDeps) {
  const { config, store } = deps;
  const tag = "account";

  return resource("/api/v1/users/me")
    .get("", ({ caller }) => ({ ...userOnWire(caller.user), scope: caller.scope, agent: caller.agentId }), {
      response: { 200: answer(Me) },
      ...operation({ id: "getMe", tag, summary: "Get the caller's account" }),
    })
    .patch(
      "",
      async ({ body, caller }) => {
        requireAccountKey(caller);
        const after = await store.pauseAccount(caller.user.id, body.paused);
        if (!after) throw notFound("account");
        return { ...userOnWire(after), scope: caller.scope, agent: caller.agentId };
      },
      {
        body: body({ paused: flag({ description: "Freezes outbound mail of all agents." }) }),
        response: { 200: answer(Me) },
        ...operation({
          id: "patchMe",
          tag,
          summary: "Pause or resume all outbound mail",
          description: "Inbound mail is still received. Agents and domains that were paused individually stay paused.",
          failures: ["forbidden"],
          example: { paused: true },
        }),
      },
    )
    .get(
      "/export",
      ({ caller, exchange }) => {
        requireAccountKey(caller);
        // HEAD has no content, so no export is started.
        const content = exchange.method === "HEAD" ? null : exportAccount(deps, caller, exchange);
        return new Response(content, {
          headers: {
            "content-type": "application/json",
            "content-disposition": 'attachment; filename="e2a-export.json"',
          },
        });
      },
      operation({
        id: "exportAccount",
        tag,
        summary: "Export everything the account owns",
        description: "Streamed, messages included; no key hashes and no secrets.",
        failures: ["forbidden", "overloaded"],
        produces: { status: 200, description: "The export", type: "application/json" },
      }),
    )
    .delete(
      "",
      async ({ caller, set }) => {
        requireAccountKey(caller);
        const rows = await store.deleteAccount(caller.user.id, new Date(deps.clock.now()), caller.proofId);
        if (!rows) throw notFound("account");
        set.headers["set-cookie"] = sessionCookieHeader(config, null);
        const { outboundMessages, ...others } = rows;
        return { deleted: { ...others, outbound_messages: outboundMessages } };
      },
      {
        query: query({
          confirm: choice(["DELETE"], { description: "Required, so that nothing is deleted by accident." }),
        }),
        response: {
          200: answer(
            Type.Object({
              deleted: Type.Object({
                agents: Type.Integer(),
                messages: Type.Integer(),
                outbound_messages: Type.Integer(),
                domains: Type.Integer(),
                keys: Type.Integer(),
                secrets: Type.Integer(),
                suppressions: Type.Integer(),
                webhooks: Type.Integer(),
              }),
            }),
          ),
        },
        ...operation({
          id: "deleteAccount",
          tag,
          summary: "Delete the account and everything it owns",
          failures: ["forbidden"],
        }),
      },
    );
}
