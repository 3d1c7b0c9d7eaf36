import { Type } from "@sinclair/typebox";
import { eventBody } from "../../../notify/webhook.ts";
import type { Caller } from "../../../store/accounts/accounts.ts";
import type { EventOwner, EventPosition } from "../../../store/events/events.ts";
import type { EventRow } from "../../../store/schema.ts";
import type { Store } from "../../../store/store.ts";
import { type EventType, eventTypes } from "../../../wire/event-types.ts";
import { Event, eventSchemas } from "../../../wire/events.ts";
import { page } from "../../../wire/words.ts";
import { requireStanding } from "../../framework/identity.ts";
import { answer, choice, invalid, query, text, whole } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { openResource, type RouteDeps, resource } from "../../framework/resource.ts";
import { ownAgent } from "./agents.ts";

const ADDRESS_CHARS_MAX = 254;
const WAIT_SECONDS_MAX = 60;
/** Room for the names of all types, with commas. */
const TYPES_CHARS_MAX = 1_000;

/** Query parameters that select events. */
export const eventFilter = {
  after: Type.Optional(text({ max: 64, description: "The last event's id that you have seen; what follows is new." })),
  types: Type.Optional(text({ max: TYPES_CHARS_MAX, description: "Types, separated by commas. Default: all." })),
  agent: Type.Optional(text({ max: ADDRESS_CHARS_MAX, description: "About this agent." })),
};

const ListQuery = query({
  ...eventFilter,
  wait: Type.Optional(
    whole(0, WAIT_SECONDS_MAX, { default: 0, description: "Seconds to wait for an event when there is none." }),
  ),
  sort: Type.Optional(choice(["asc", "desc"], { default: "asc", description: "`asc`: oldest first." })),
  ...pageQuery,
});

/** The routes for the event log: the events that webhooks get, under the same ids, for clients that poll. */
export function events(deps: RouteDeps) {
  const { store, vault, feed } = deps;
  const tag = "events";
  return resource("/api/v1/events")
    .get(
      "",
      async ({ query, caller, exchange }) => {
        const { sort = "asc", token } = query;
        // HEAD has no content to wait for.
        const wait = exchange.method === "HEAD" ? 0 : (query.wait ?? 0);
        if (query.after !== undefined && token !== undefined)
          throw invalid([{ field: "after", message: "cannot be given together with token" }]);
        if (wait > 0 && sort === "desc") throw invalid([{ field: "wait", message: "goes with sort asc only" }]);
        const { owner, types, after } = await eventsWanted(store, caller, query);
        const { rows, next } = await readPage<EventRow, [number, number]>(
          vault,
          query,
          ["events", owner, types, sort],
          (last, limit) => {
            const position = last ? { xid: last[0], seq: last[1] } : after;
            return feed.read({ owner, after: position, sort, types, limit }, wait * 1000, exchange.signal);
          },
          (row) => [row.xid, row.seq],
        );
        if (wait > 0) await requireStanding(deps, caller);
        return { events: rows.map(eventBody), ...next };
      },
      {
        query: ListQuery,
        response: { 200: answer(page("events", Event)) },
        ...operation({
          id: "listEvents",
          tag,
          summary: "Read the event log",
          description:
            "Oldest first. Keep the last id and give it as `after`: nothing is missed and nothing comes twice, however " +
            "long you were away, within what is kept (30 days unless configured). A key of one agent sees that one's.",
          failures: ["not_found"],
        }),
      },
    )
    .get(
      "/:id",
      async ({ params, caller }) => {
        const event = await store.getEvent(params.id);
        if (!event || !isOf(event, caller)) throw notFound("event");
        return eventBody(event);
      },
      {
        response: { 200: answer(Event) },
        ...operation({ id: "getEvent", tag, summary: "Get an event" }),
      },
    );
}

/** The public routes for the JSON Schemas of events. */
export function eventSchemaRoutes() {
  const tag = "events";
  return openResource("/api/v1/events/schemas")
    .get("", () => ({ schemas: eventSchemas }), {
      response: { 200: answer(Type.Object({ schemas: Type.Record(Type.String(), Type.Any()) })) },
      ...operation({
        id: "listEventSchemas",
        tag,
        summary: "Get the JSON Schema of every type of event",
        public: true,
      }),
    })
    .get(
      "/:type",
      ({ params }) => {
        const schema = Object.hasOwn(eventSchemas, params.type) ? eventSchemas[params.type as EventType] : undefined;
        if (!schema) throw notFound("type of event");
        return new Response(JSON.stringify(schema), { headers: { "content-type": "application/schema+json" } });
      },
      operation({
        id: "getEventSchema",
        tag,
        summary: "Get the JSON Schema of one type of event",
        public: true,
        produces: { status: 200, description: "A JSON Schema (2020-12)", type: "application/schema+json" },
      }),
    );
}

export interface EventsWanted {
  owner: EventOwner;
  types: EventType[];
  after: EventPosition | null;
}

/**
 * Reads a selection of events. Failures: `invalid_request` for unknown types and for an event that is not in the
 * caller's log, `not_found` for an agent that the caller may not use.
 */
export async function eventsWanted(
  store: Store,
  caller: Caller,
  asked: { after?: string | undefined; types?: string | undefined; agent?: string | undefined },
): Promise<EventsWanted> {
  const address = asked.agent ?? caller.agentId;
  const owner = {
    userId: caller.user.id,
    agentId: address === null ? null : (await ownAgent(store, caller, address)).id,
  };
  const types = asked.types === undefined ? [] : typesOf(asked.types);
  if (asked.after === undefined) return { owner, types, after: null };
  const event = await store.getEvent(asked.after);
  if (!event || !isOf(event, caller))
    throw invalid(
      [{ field: "after", message: "is not one of your events, or is older than the events that are kept" }],
      "Leave it out to start with the oldest event that is kept.",
    );
  return { owner, types, after: { xid: event.xid, seq: event.seq } };
}

/** Says what is wrong with a list of types, and names the known ones; null if all are known. */
export function wrongTypes(names: readonly string[]): string | null {
  const wrong = names.filter((name) => !eventTypes.includes(name as EventType));
  if (wrong.length === 0) return null;
  const list = wrong.map((name) => JSON.stringify(name.slice(0, 50))).join(", ");
  return `has unknown types: ${list}. Known: ${eventTypes.join(", ")}`;
}

function typesOf(list: string): EventType[] {
  const names = list.split(",").map((name) => name.trim());
  const message = wrongTypes(names);
  if (message) throw invalid([{ field: "types", message }]);
  return names as EventType[];
}

function isOf(event: EventRow, caller: Caller): boolean {
  return event.userId === caller.user.id && (caller.agentId === null || event.agentId === caller.agentId);
}
