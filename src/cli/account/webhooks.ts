/** `e2a webhooks`: endpoints that receive events of the account. */

import { Command, Option } from "commander";
import { eventTypes } from "../../wire/event-types.ts";
import { type DeliveryDetail, endpointStatuses, type Webhook, type WebhookChange } from "../connect/delivery-shapes.ts";
import { CliError, usageError } from "../connect/failure.ts";
import { openSession, type Session } from "../connect/session.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { age, facts, plain, shortUrl, table } from "../terminal/output.ts";
import { confirmDeletion } from "../terminal/prompts.ts";
import { deliveryText, lastAnswer } from "./deliveries.ts";

const anId = "whk_00112233445566778899aabbccddeeff";

export function webhooksCommand(io: Io): Command {
  const command = new Command("webhooks")
    .summary("tell your own programs what happens")
    .description(
      "A webhook is told of events of the account: mail that came, left, bounced or waits for approval. A cloud agent's " +
        "own webhook, which gets its mail, is set by `e2a agents update`.",
    )
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(updateCommand(io))
    .addCommand(testCommand(io))
    .addCommand(deleteCommand(io));
  return example(command, [
    "e2a webhooks create https://example.com/events --events message.bounced,message.held",
    `e2a webhooks test ${anId}`,
  ]);
}

interface WebhookFlags {
  url?: string;
  events?: string[];
  agents?: string[];
  description?: string;
  status?: Webhook["status"];
}

/** The word that removes a restriction. */
const everything = "all";

function listOption(flags: string, description: string): Option {
  return new Option(flags, `${description}; separated by commas, "${everything}" for all`).argParser((text: string) => {
    const names = text.split(",").map((name) => name.trim());
    return names.length === 1 && names[0] === everything ? [] : names.filter(Boolean);
  });
}

function eventsOption(): Option {
  return listOption("--events <types>", "only these types of events");
}

function agentsOption(): Option {
  return listOption("--agents <addresses>", "only what is about these agents");
}

function createCommand(io: Io): Command {
  const command = new Command("create")
    .summary("register an endpoint")
    .description(
      "Registers an endpoint. Each event is POSTed to it, signed by Standard Webhooks with the account's signing secret, " +
        `and tried again over 75 hours.\n\nTypes of events: ${eventTypes.join(", ")}.`,
    )
    .argument("<url>", "where events are POSTed; https")
    .addOption(eventsOption())
    .addOption(agentsOption())
    .option("--description <text>", "what it is for")
    .action(async (url: string, flags: WebhookFlags, command: Command) => {
      const session = await openSession(io, command);
      const webhook = await session.client.webhooks.create({ ...changes(flags), url });
      await session.show(webhook, () => created(session, webhook));
    });
  return example(command, [
    "e2a webhooks create https://example.com/events",
    "e2a webhooks create https://example.com/bounces --events message.bounced,message.failed --agents bot@example.com",
  ]);
}

function changes({ url, events, agents, description, status }: WebhookFlags): WebhookChange {
  return {
    ...(url === undefined ? {} : { url }),
    ...(events === undefined ? {} : { events }),
    ...(agents === undefined ? {} : { agents }),
    ...(description === undefined ? {} : { description }),
    ...(status === undefined ? {} : { status }),
  };
}

function created({ paint }: Session, webhook: Webhook): string {
  const next = paint("cyan", `e2a webhooks test ${plain(webhook.id)}`);
  return `${paint("green", "✓")} ${paint("bold", plain(webhook.url))} is told of ${scope(webhook)}.\n\nTry it: ${next}`;
}

/** "all events", "message.held of bot@example.com". */
function scope({ events, agents }: Webhook): string {
  const types = events.length > 0 ? events.map(plain).join(", ") : "all events";
  return agents.length > 0 ? `${types} of ${agents.map(plain).join(", ")}` : types;
}

function listCommand(io: Io): Command {
  const command = new Command("list")
    .alias("ls")
    .summary("list the endpoints")
    .description("Lists the webhooks of the account, newest first.")
    .action(async (_flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const { webhooks } = await session.client.webhooks.list();
      await session.show({ webhooks }, () => webhookTable(session, webhooks));
    });
  return example(command, ["e2a webhooks list"]);
}

function webhookTable({ paint, width }: Session, webhooks: Webhook[]): string {
  if (webhooks.length === 0) return "No webhooks yet. Register one: e2a webhooks create https://example.com/events";
  const now = Date.now();
  const ofAgents = { title: "AGENTS", value: ({ agents }: Webhook) => short(agents), shrinks: true };
  return table<Webhook>(
    [
      { title: "URL", value: ({ url }) => shortUrl(url), shrinks: true, style: () => "bold" },
      { title: "EVENTS", value: ({ events }) => short(events), shrinks: true },
      ...(webhooks.some(({ agents }) => agents.length > 0) ? [ofAgents] : []),
      {
        title: "STATUS",
        value: (webhook) => state(webhook, now),
        style: ({ status, failing_since }) => (status === "disabled" ? "red" : failing_since ? "yellow" : "green"),
      },
      { title: "AGE", value: ({ created_at }) => age(created_at, now) },
      { title: "ID", value: ({ id }) => id, style: () => "dim" },
    ],
    webhooks,
    { width, paint },
  );
}

/** "all", "message.held", "message.held +2": short, because the URL needs the room. */
function short(names: string[]): string {
  const [first = everything, ...others] = names;
  return others.length > 0 ? `${first} +${others.length}` : first;
}

function state({ status, failing_since: since }: Webhook, nowMs: number): string {
  if (status === "disabled" || !since) return status;
  const span = age(since, nowMs);
  return span === "now" ? "failing" : `failing for ${span}`;
}

function showCommand(io: Io): Command {
  const command = new Command("show")
    .summary("show one endpoint")
    .description("Shows a webhook: what it is told, and how it fares.")
    .argument("<id>", "its id, whk_…")
    .action(async (id: string, _flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const webhook = await session.client.webhooks.get(id);
      await session.show(webhook, () => webhookFacts(session, webhook));
    });
  return example(command, [`e2a webhooks show ${anId}`]);
}

function webhookFacts({ paint }: Session, webhook: Webhook): string {
  const { url, events, agents, description, status, failing_since, disabled_at, disabled_reason } = webhook;
  const lines = facts(
    [
      ["URL", url],
      ["Events", events.join(", ") || everything],
      ["Agents", agents.join(", ") || everything],
      ["For", description],
      ["Status", status],
      ["Disabled", disabled_at ? [disabled_at, disabled_reason].filter(Boolean).join(": ") : null],
      ["Failing", failing_since ? `every attempt since ${failing_since}` : null],
      ["Created", webhook.created_at],
      ["Changed", webhook.updated_at],
      ["Id", webhook.id],
    ],
    paint,
  );
  const next = paint("cyan", `e2a webhooks update ${plain(webhook.id)} --status enabled`);
  return status === "disabled" ? `${lines}\n\nIts deliveries wait. Enable it: ${next}` : lines;
}

function updateCommand(io: Io): Command {
  const command = new Command("update")
    .summary("change an endpoint")
    .description("Changes what is given and leaves the rest. Another URL also enables it; what waited is delivered.")
    .argument("<id>", "its id, whk_…")
    .option("--url <url>", "another address; https")
    .addOption(eventsOption())
    .addOption(agentsOption())
    .option("--description <text>", "what it is for")
    .addOption(new Option("--status <status>", "disabled keeps what is to be delivered").choices(endpointStatuses))
    .action(async (id: string, flags: WebhookFlags, command: Command) => {
      const change = changes(flags);
      if (Object.keys(change).length === 0)
        throw usageError("Nothing to change.", "Add --url, --events, --agents, --description or --status.");
      const session = await openSession(io, command);
      const webhook = await session.client.webhooks.update(id, change);
      await session.show(webhook, () => webhookFacts(session, webhook));
    });
  return example(command, [`e2a webhooks update ${anId} --events all`, `e2a webhooks update ${anId} --status enabled`]);
}

function deleteCommand(io: Io): Command {
  const command = new Command("delete")
    .summary("delete an endpoint and its deliveries")
    .description("Deletes a webhook with its deliveries. Asks first; in a pipe --yes is needed.")
    .argument("<id>", "its id, whk_…")
    .option("-y, --yes", "do not ask")
    .action(async (id: string, flags: { yes?: boolean }, command: Command) => {
      const session = await openSession(io, command);
      await confirmDeletion(io, `Delete the webhook ${id} and its deliveries?`, flags.yes);
      await session.client.webhooks.delete(id);
      await session.show({ id, status: "deleted" }, () => `${session.paint("green", "✓")} ${plain(id)} is deleted.`);
    });
  return example(command, [`e2a webhooks delete ${anId} --yes`]);
}

function testCommand(io: Io): Command {
  const command = new Command("test")
    .summary("send a test event and show the answer")
    .description(
      "Sends a webhook.test event to one endpoint, whatever types it asked for and also while it is disabled, and waits " +
        "for its answer. Exit code 1 when it did not take it.",
    )
    .argument("<id>", "its id, whk_…")
    .action(async (id: string, _flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const made = await session.client.webhooks.test(id);
      const delivery = await firstAnswer(session, made.id);
      await session.show(delivery, () => deliveryText(session, delivery));
      if (delivery.status !== "succeeded") throw notTaken(delivery);
    });
  return example(command, [`e2a webhooks test ${anId}`]);
}

/** Longer than an endpoint may take to answer. */
const ANSWER_WAIT_MS = 35_000;
/** Pause between two checks. */
const LOOK_EVERY_MS = 250;

/** The delivery after its first attempt, or after ANSWER_WAIT_MS in any state. */
async function firstAnswer({ client }: Session, id: string): Promise<DeliveryDetail> {
  const endMs = performance.now() + ANSWER_WAIT_MS;
  for (;;) {
    const delivery = await client.deliveries.get(id);
    const isOpen = delivery.status === "pending" && delivery.tries.length === 0;
    if (!isOpen || performance.now() > endMs) return delivery;
    await Bun.sleep(LOOK_EVERY_MS);
  }
}

function notTaken(delivery: DeliveryDetail): CliError {
  const endpoint = plain(delivery.url ?? delivery.endpoint_id);
  const answer = lastAnswer(delivery);
  return new CliError(`${endpoint} ${answer ? `did not take it: ${plain(answer)}` : "has not answered yet"}.`, {
    code: "not_delivered",
    fix: `Follow it with: e2a deliveries show ${plain(delivery.id)}`,
  });
}
