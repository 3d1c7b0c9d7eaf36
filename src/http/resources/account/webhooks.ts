import { type Static, Type } from "@sinclair/typebox";
import { checkWebhookUrl } from "../../../notify/address-guard.ts";
import type { Caller } from "../../../store/accounts/accounts.ts";
import { webhookRow } from "../../../store/events/webhooks.ts";
import type { WebhookRow } from "../../../store/schema.ts";
import { Delivery } from "../../../wire/delivery.ts";
import type { EventType } from "../../../wire/event-types.ts";
import { Webhook } from "../../../wire/webhook.ts";
import { optional, page } from "../../../wire/words.ts";
import { answer, body, type Complain, changeBody, choice, invalid, list, query, text } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { cutPage, pageQuery } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { checkUrl, ownAgent, requireAccountKey, webhookUrl, webhookUrlPolicy } from "./agents.ts";
import { deliveryOnWire } from "./delivery-wire.ts";
import { wrongTypes } from "./events.ts";

const TYPES_MAX = 100;
const AGENTS_MAX = 1_000;
const ADDRESS_CHARS_MAX = 254;

const members = {
  events: Type.Optional(
    list(text({ min: 1, max: 50 }), TYPES_MAX, { description: "The types it gets. Default: all, also future ones." }),
  ),
  agents: Type.Optional(
    list(text({ min: 3, max: ADDRESS_CHARS_MAX }), AGENTS_MAX, {
      description: "Addresses of agents. Default: all, and what is about none.",
    }),
  ),
  description: Type.Optional(text({ max: 500 })),
};

/** The routes for webhooks of an account, each for a selection of events. */
export function webhooks(deps: RouteDeps) {
  const { store, clock, config } = deps;
  const policy = webhookUrlPolicy(config);
  const tag = "webhooks";
  const failures = ["forbidden" as const];

  const check = (given: { url?: string; events?: string[] }, complain: Complain) => {
    if (given.url) checkUrl(given.url, policy, complain, "url");
    const wrong = wrongTypes(given.events ?? []);
    if (wrong) complain("events", wrong);
  };
  const NewWebhook = body({ url: { ...webhookUrl, minLength: 1 }, ...members }, check);
  const WebhookChange = changeBody(
    {
      url: Type.Optional({ ...webhookUrl, minLength: 1 }),
      ...members,
      status: Type.Optional(
        choice(["enabled", "disabled"], {
          description: "`disabled` keeps what is to be delivered until it is enabled.",
        }),
      ),
    },
    check,
  );

  /**
   * Returns the caller's agents with these addresses. Failure `invalid_request` names each that is not the caller's.
   */
  async function ownAgents(caller: Caller, addresses: readonly string[]): Promise<string[]> {
    const found = await Promise.allSettled(addresses.map((address) => ownAgent(store, caller, address)));
    const errors = found.flatMap(({ status }, i) =>
      status === "rejected" ? [{ field: `agents.${i}`, message: "must be an agent of yours" }] : [],
    );
    if (errors.length > 0) throw invalid(errors);
    return [...new Set(found.flatMap((one) => (one.status === "fulfilled" ? one.value.id : [])))];
  }

  return resource("/api/v1/webhooks")
    .post(
      "",
      async ({ body, caller, exchange, status }) => {
        requireAccountKey(caller);
        const now = new Date(clock.now());
        const row = webhookRow(
          {
            userId: caller.user.id,
            url: checkWebhookUrl(body.url, policy),
            events: (body.events ?? []) as EventType[],
            agents: await ownAgents(caller, body.agents ?? []),
            description: body.description ?? "",
          },
          now,
        );
        const shown = webhookOnWire(row);
        await store.createWebhook(row, now, exchange.keep(201, shown));
        return status(201, shown);
      },
      {
        body: NewWebhook,
        response: { 201: answer(Webhook) },
        ...operation({
          id: "createWebhook",
          tag,
          summary: "Register a webhook for events of the account",
          description:
            "Each event is POSTed as `{type, id, timestamp, data}`, signed by Standard Webhooks with the account's signing " +
            "secret, and tried again over 75 hours. Events come in no fixed order; `id` is the same with every attempt.",
          failures: [...failures, "conflict"],
          example: { url: "https://hooks.example.com/e2a", events: ["message.bounced", "message.held"] },
        }),
      },
    )
    .get(
      "",
      async ({ query, caller }) => {
        requireAccountKey(caller);
        const all = await store.listWebhooks(caller.user.id);
        const { rows, next } = await cutPage(deps.vault, query, ["webhooks", caller.user.id], all);
        return { webhooks: rows.map(webhookOnWire), ...next };
      },
      {
        query: query(pageQuery),
        response: { 200: answer(page("webhooks", Webhook)) },
        ...operation({
          id: "listWebhooks",
          tag,
          summary: "List webhooks",
          description: "Newest first; all of them unless `page_size` is given.",
          failures,
        }),
      },
    )
    .get(
      "/:id",
      async ({ params, caller }) => {
        requireAccountKey(caller);
        const found = await store.getWebhook(caller.user.id, params.id);
        if (!found) throw notFound("webhook");
        return webhookOnWire(found);
      },
      {
        response: { 200: answer(Webhook) },
        ...operation({ id: "getWebhook", tag, summary: "Get a webhook", failures }),
      },
    )
    .patch(
      "/:id",
      async ({ params, body, caller }) => {
        requireAccountKey(caller);
        const { url, events, agents, description, status } = body;
        const changes = {
          ...optional("url", url === undefined ? undefined : checkWebhookUrl(url, policy)),
          ...optional("events", events as EventType[] | undefined),
          ...optional("agents", agents && (await ownAgents(caller, agents))),
          ...optional("description", description),
          ...optional("isEnabled", status && status === "enabled"),
        };
        const after = await store.updateWebhook(caller.user.id, params.id, changes, new Date(clock.now()));
        if (!after) throw notFound("webhook");
        return webhookOnWire(after);
      },
      {
        body: WebhookChange,
        response: { 200: answer(Webhook) },
        ...operation({
          id: "updateWebhook",
          tag,
          summary: "Change a webhook",
          description:
            "Only what is given changes. Another `url` enables it, as `status` does; what waited is delivered.",
          failures,
          example: { status: "enabled" },
        }),
      },
    )
    .delete(
      "/:id",
      async ({ params, caller }) => {
        requireAccountKey(caller);
        if (!(await store.deleteWebhook(caller.user.id, params.id))) throw notFound("webhook");
        return new Response(null, { status: 204 });
      },
      operation({
        id: "deleteWebhook",
        tag,
        summary: "Delete a webhook with its deliveries",
        failures,
        produces: { status: 204, description: "Deleted" },
      }),
    )
    .post(
      "/:id/test",
      async ({ params, caller }) => {
        requireAccountKey(caller);
        const made = await store.testWebhook(caller.user.id, params.id, new Date(clock.now()));
        if (!made) throw notFound("webhook");
        return deliveryOnWire(made);
      },
      {
        response: { 200: answer(Delivery) },
        ...operation({
          id: "testWebhook",
          tag,
          summary: "Send a test event to a webhook",
          description: "A `webhook.test`, whatever types it asked for; `GET /deliveries/{id}` shows its status.",
          failures,
        }),
      },
    );
}

/** A webhook as clients read it. */
export function webhookOnWire(row: WebhookRow): Static<typeof Webhook> {
  return {
    id: row.id,
    url: row.url,
    events: row.events,
    agents: row.agents,
    description: row.description,
    status: row.disabledAt === null ? "enabled" : "disabled",
    ...optional("failing_since", row.failingSince?.toISOString()),
    ...optional("disabled_at", row.disabledAt?.toISOString()),
    ...optional("disabled_reason", row.disabledReason ?? undefined),
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
