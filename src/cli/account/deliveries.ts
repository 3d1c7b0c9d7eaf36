/** `e2a deliveries`: what webhooks were sent, how they answered, and how to send it again. */
import { Command, Option } from "commander";
import {
  type Delivery,
  type DeliveryDetail,
  type DeliveryFilter,
  type DeliveryPage,
  type DeliveryStatus,
  type DeliveryTry,
  deliveryStatuses,
} from "../connect/delivery-shapes.ts";
import { usageError } from "../connect/failure.ts";
import { agentOption, chooseAgent, openSession, type Session } from "../connect/session.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { age, facts, plain, type Style, shortUrl, table, until } from "../terminal/output.ts";
import { collect, limitOption, moreHint, type PageFlags, tokenOption } from "../terminal/paging.ts";
import { sinceOption } from "../terminal/time-flags.ts";

const anId = "dlv_00112233445566778899aabbccddeeff";

export function deliveriesCommand(io: Io): Command {
  const command = new Command("deliveries")
    .summary("what webhooks were told, and what they answered")
    .description("Each event on its way to each endpoint is a delivery. What failed can be delivered again.")
    .addCommand(listCommand(io), { isDefault: true })
    .addCommand(showCommand(io))
    .addCommand(redeliverCommand(io));
  return example(command, ["e2a deliveries", `e2a deliveries show ${anId}`, "e2a deliveries redeliver --since 12h"]);
}

function webhookOption(): Option {
  return new Option("--webhook <id>", "only of this endpoint: whk_…, or an agent's address for its own webhook");
}

interface ListFlags extends PageFlags {
  webhook?: string;
  status?: DeliveryStatus;
}

function listCommand(io: Io): Command {
  const command = new Command("list")
    .alias("ls")
    .summary("list deliveries (the default)")
    .description("Lists deliveries, newest first; of all agents unless one is named.")
    .addOption(agentOption())
    .addOption(webhookOption())
    .addOption(new Option("--status <status>", "only those").choices(deliveryStatuses))
    .addOption(limitOption())
    .addOption(tokenOption())
    .action(async (flags: ListFlags, command: Command) => {
      const session = await openSession(io, command);
      const filter = await filterOf(session, flags);
      const page = await collect("deliveries", flags, (at) => session.client.deliveries.list({ ...filter, ...at }));
      await session.show(page, () => deliveryTable(session, filter, page));
    });
  return example(command, [
    "e2a deliveries list --status failed",
    "e2a deliveries list --webhook whk_00112233445566778899aabbccddeeff",
  ]);
}

/** Without an agent in flags or settings, the deliveries of all agents. */
async function filterOf<Status extends DeliveryStatus>(
  session: Session,
  { webhook, status }: { webhook?: string; status?: Status },
) {
  return {
    ...(session.settings.agent.value ? { agent: await chooseAgent(session) } : {}),
    ...(webhook ? { webhook } : {}),
    ...(status ? { status } : {}),
  };
}

const marks: Record<DeliveryStatus, { mark: string; style: Style }> = {
  pending: { mark: "…", style: "dim" },
  paused: { mark: "–", style: "dim" },
  succeeded: { mark: "✓", style: "green" },
  failed: { mark: "✗", style: "red" },
};

/** The mark of a delivery. One that failed and will be retried is marked for attention. */
function markOf({ status, attempts }: Delivery): { mark: string; style: Style } {
  const isTriedAgain = status === "pending" && attempts > 0;
  return isTriedAgain ? { mark: "!", style: "yellow" } : (marks[status] ?? marks.pending);
}

function deliveryTable({ paint, width }: Session, filter: DeliveryFilter, page: DeliveryPage): string {
  if (page.deliveries.length === 0) return `No deliveries${Object.keys(filter).length > 0 ? " that match" : " yet"}.`;
  const now = Date.now();
  const lines = table<Delivery>(
    [
      { title: " ", value: (one) => markOf(one).mark, style: (one) => markOf(one).style },
      { title: "EVENT", value: (one) => one.event_type ?? "" },
      { title: "TO", value: (one) => shortUrl(one.url ?? one.endpoint_id), shrinks: true },
      { title: "STATUS", value: (one) => `${one.status} ${lastAnswer(one)}`.trim(), shrinks: true },
      { title: "NEXT", value: ({ next_attempt_at: next }) => (next ? until(next, now) : "") },
      { title: "AGE", value: ({ created_at }) => age(created_at, now) },
      { title: "ID", value: ({ id }) => id, style: () => "dim" },
    ],
    page.deliveries,
    { width, paint },
  );
  return lines + moreHint(page, paint);
}

/** The answer to the last attempt; "" before the first. */
export function lastAnswer({ last_status, last_error }: Delivery): string {
  return last_error ?? (last_status ? String(last_status) : "");
}

function showCommand(io: Io): Command {
  const command = new Command("show")
    .summary("show one delivery with every attempt")
    .description("Shows a delivery: when it was tried, how long that took, and how the answers began.")
    .argument("<id>", "its id, dlv_…")
    .action(async (id: string, _flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const delivery = await session.client.deliveries.get(id);
      await session.show(delivery, () => deliveryText(session, delivery));
    });
  return example(command, [`e2a deliveries show ${anId}`]);
}

/** A delivery as text: its facts and attempts. */
export function deliveryText(session: Session, delivery: DeliveryDetail): string {
  const { paint, width } = session;
  const now = Date.now();
  const { mark, style } = markOf(delivery);
  const head = facts(
    [
      ["Event", [delivery.event_type, delivery.event_id].filter(Boolean).join("  ")],
      ["To", delivery.url ?? "(no longer has a URL)"],
      ["Endpoint", delivery.endpoint_id],
      ["Agent", delivery.agent_id],
      ["Message", delivery.message_id],
      ["Created", `${delivery.created_at} (${age(delivery.created_at, now)})`],
      ["Next try", delivery.next_attempt_at ? until(delivery.next_attempt_at, now) : null],
    ],
    paint,
  );
  const again =
    delivery.status === "failed" ? `\nDeliver it again: e2a deliveries redeliver ${plain(delivery.id)}` : "";
  const status = `${paint(style, `${mark} ${plain(delivery.status)}`)}${again}`;
  const tries = table<DeliveryTry>(
    [
      { title: "TRY", value: ({ attempt }) => String(attempt) },
      { title: "STARTED (UTC)", value: ({ started_at }) => started_at.slice(0, 19).replace("T", " ") },
      { title: "TOOK", value: ({ duration_ms }) => duration(duration_ms) },
      {
        title: "STATUS",
        value: ({ status }) => (status === null ? "-" : String(status)),
        style: ({ status }) => (status !== null && status >= 200 && status < 300 ? "green" : "red"),
      },
      { title: "ANSWER", value: ({ error, answer }) => error ?? answer ?? "", shrinks: true },
    ],
    delivery.tries,
    { width, paint },
  );
  return [`${head}\n${status}`, delivery.tries.length > 0 ? tries : "Not tried yet."].join("\n\n");
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

interface RedeliverFlags {
  since?: string;
  webhook?: string;
}

function redeliverCommand(io: Io): Command {
  const command = new Command("redeliver")
    .summary("deliver one again, or all that failed since a time")
    .description(
      "With an id delivers that one again, at once; with --since all that was given up since then. The endpoint gets " +
        "the same webhook-id as before, so it can drop what it has.",
    )
    .argument("[id]", "one delivery, dlv_…")
    .addOption(sinceOption("all that failed since"))
    .addOption(agentOption())
    .addOption(webhookOption())
    .action(async (id: string | undefined, { since, webhook }: RedeliverFlags, command: Command) => {
      if ((id === undefined) === (since === undefined))
        throw usageError("Deliver what again?", "Give either an id or --since TIME.");
      if (id !== undefined && webhook !== undefined) throw usageError("--webhook goes with --since.");
      const session = await openSession(io, command);
      if (id !== undefined) return redeliverOne(session, id);
      await redeliverSince(session, since ?? "", await filterOf(session, webhook ? { webhook } : {}));
    });
  return example(command, [
    `e2a deliveries redeliver ${anId}`,
    "e2a deliveries redeliver --since 2026-05-15T12:00:00Z --webhook whk_00112233445566778899aabbccddeeff",
  ]);
}

async function redeliverOne(session: Session, id: string): Promise<void> {
  const delivery = await session.client.deliveries.redeliver(id);
  const to = plain(delivery.url ?? delivery.endpoint_id);
  const mark = session.paint("green", "✓");
  await session.show(
    delivery,
    () => `${mark} It goes to ${to} now. Watch it: e2a deliveries show ${plain(delivery.id)}`,
  );
}

async function redeliverSince(session: Session, since: string, filter: Omit<DeliveryFilter, "status">): Promise<void> {
  let redelivered = 0;
  // The server takes only some of them in one request.
  for (let part = -1; part !== 0; redelivered += part)
    part = (await session.client.deliveries.redeliverSince({ since, ...filter })).redelivered;
  const what = redelivered === 1 ? "1 delivery is" : `${redelivered} deliveries are`;
  await session.show({ redelivered }, () =>
    redelivered === 0 ? `Nothing failed since ${since}.` : `${session.paint("green", "✓")} ${what} due now.`,
  );
}
