import { expect, test } from "bun:test";
import { QueryClient } from "@tanstack/react-query";
import { type EventType, eventTypes } from "../../src/wire/event-types.ts";
import { keys } from "../src/api/keys.ts";
import { withNewest } from "../src/api/newest.ts";
import { isWithdrawable } from "../src/outbound/withdrawable.ts";

const page = (...ids: number[]) => ({ messages: ids.map((id) => ({ message_id: `msg_${id}` })) });

test.each<[name: string, fresh: number[], pages: number[][] | null]>([
  [
    "what is new goes on top of a list that was scrolled far",
    [8, 7, 6],
    [
      [8, 7, 6, 5, 4],
      [3, 2, 1],
    ],
  ],
  [
    "nothing new changes nothing",
    [6, 5, 4],
    [
      [6, 5, 4],
      [3, 2, 1],
    ],
  ],
  ["where more came than a page holds the list begins anew, without a hole", [12, 11, 10], null],
])("%s", (_name, fresh, pages) => {
  expect(withNewest([page(6, 5, 4), page(3, 2, 1)], page(...fresh))).toEqual(pages?.map((ids) => page(...ids)) ?? null);
});

test("an approval can be taken back while it stands and nobody was tried, and only if a person gave it", () => {
  const waiting = { address: "ann@x.example", status: "queued", attempts: 0 };
  const approved = { status: "queued", reviewed_at: "2026-05-15T12:00:00Z", reviewed_by: "eve@x.example" };
  const can = (changes: object, ...recipients: object[]) =>
    isWithdrawable({ ...approved, ...changes, recipients: [waiting, ...recipients] } as never);
  expect(can({})).toBe(true);
  expect(can({}, { ...waiting, status: "deferred", attempts: 1 })).toBe(false);
  expect(can({ reviewed_by: "expiry" })).toBe(false);
  expect(can({ reviewed_at: undefined })).toBe(false);
  expect(can({ status: "sent" })).toBe(false);
});

/** Imports by a path that the server's type check does not follow, because these files are for a browser. */
const ofPage = (file: string) => import(new URL(`../src/api/${file}`, import.meta.url).href);
const { createEffects }: { createEffects(client: QueryClient): (event: object) => void } = await ofPage("effects.ts");
const { addToLog }: { addToLog(client: QueryClient, news: readonly object[]): void } = await ofPage("events.ts");

/** The queries that the page fetches again after an event. */
async function askedAgainAfter(type: EventType): Promise<string[]> {
  const client = new QueryClient();
  for (const key of Object.values(keys)) client.setQueryData([...key, "list"], { pages: [] });
  const settled = new Promise<void>((resolve) => {
    client.getQueryCache().subscribe(({ query, type }) => {
      if (type === "updated" && query.queryKey[0] === "overview") resolve();
    });
  });
  createEffects(client)({ type });
  await settled;
  const all = client.getQueryCache().getAll();
  return all.flatMap(({ queryKey, state }) => (state.isInvalidated ? [`${queryKey[0]}`] : [])).sort();
}

test("what an event changes is asked for again, wherever it is shown", async () => {
  const mail = ["conversations", "outbound"];
  const decided = ["audit", ...mail];
  const refused = [...mail, "suppressions"];
  const shown: Record<EventType, string[]> = {
    "message.received": ["conversations", "inbox"],
    ...{ "message.sent": mail, "message.delivered": mail, "message.deferred": mail, "message.failed": mail },
    ...{ "message.bounced": refused, "message.complained": refused },
    ...{ "message.held": mail, "loop.stopped": mail },
    ...{ "message.approved": decided, "message.rejected": decided, "message.expired": decided },
    // An agent's data contains whether its domain is verified, and whether its own webhook is enabled.
    ...{ "domain.verified": ["agents", "domains"], "domain.degraded": ["domains"] },
    ...{ "webhook.disabled": ["agents", "webhooks"], "webhook.test": [] },
  };
  const found = await Promise.all(
    eventTypes.map(async (type) => [type, await askedAgainAfter(type)] as [EventType, string[]]),
  );
  for (const [type, asked] of found)
    expect([type, asked]).toEqual([type, [...shown[type], "deliveries", "overview"].sort()]);
});

test("events go on top of the log, the newest first, each once, and only into lists that they belong into", () => {
  const client = new QueryClient();
  const event = (n: number, type = "message.sent", agent_id = "a@x.example") => ({ id: `evt_${n}`, type, agent_id });
  const listKey = (filter: object) => [...keys.events, "list", filter];
  const filters = [{}, { types: "message.sent" }, { agent: "b@x.example" }];
  for (const filter of filters)
    client.setQueryData(listKey(filter), { pages: [{ events: [event(2)] }, { events: [event(1)] }], pageParams: [] });
  const news = [event(2), event(3), event(4, "message.held"), event(5, "message.sent", "b@x.example")];
  for (const _ of ["first", "again"]) addToLog(client, news);
  const ids = (filter: object) =>
    client
      .getQueryData<{ pages: { events: { id: string }[] }[] }>(listKey(filter))
      ?.pages.map(({ events }) => events.map(({ id }) => id.slice(4)).join(" "));
  expect(filters.map(ids)).toEqual([
    ["5 4 3 2", "1"],
    ["5 3 2", "1"],
    ["5 2", "1"],
  ]);
});

test("a draft is put onto what another reviewer wrote meanwhile; what both changed in different ways is a clash", async () => {
  const { draftOf, rebase } = await ofPage("../outbound/draft.ts");
  const base = { to: ["ann@x.example"], subject: "Offer", body_text: "Pay 100.", body_html: "<p>Pay 100.</p>" };
  const [subject, text] = [{ subject: "My offer" }, { text: "Pay 110." }];
  const ownHtml = { html: "own", ownHtml: "<p>Pay 110.</p>" };
  const rows: [mine: object, theirs: object, clashes: string[]][] = [
    [subject, { subject: "Their offer" }, ["subject"]],
    [subject, { subject: "My offer" }, []],
    [subject, { body_text: "Pay 90." }, []],
    [text, { body_text: "Pay 90." }, ["body_text"]],
    [ownHtml, { body_html: "<p>Pay 90.</p>" }, ["body_html"]],
    [ownHtml, { subject: "Their offer", body_text: "Pay 90." }, []],
  ];
  for (const [mine, theirs, clashes] of rows) {
    const current = { ...base, ...theirs };
    const moved = rebase(base, current, { ...draftOf(base), ...mine });
    expect(moved).toEqual({ draft: { ...draftOf(current), ...mine }, clashes });
  }
});
