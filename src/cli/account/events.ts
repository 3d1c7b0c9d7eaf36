/** `e2a events`: reads or follows the log of events. */

import { Command, Option } from "commander";
import type { EventType } from "../../../sdks/typescript/src/index.ts";
import { eventTypes } from "../../wire/event-types.ts";
import type { EventFilter, EventPage, WireEvent } from "../connect/delivery-shapes.ts";
import { retryReason, usageError } from "../connect/failure.ts";
import { agentOption, chooseAgent, openSession, type Session } from "../connect/session.ts";
import { example } from "../terminal/help.ts";
import { type Io, write } from "../terminal/io.ts";
import { fit, painter, plain, table, toJson } from "../terminal/output.ts";
import { collect, limitOption, moreHint, type PageFlags, tokenOption } from "../terminal/paging.ts";

interface EventFlags extends PageFlags {
  follow?: boolean;
  types?: string;
  after?: string;
  fromStart?: boolean;
}

export function eventsCommand(io: Io): Command {
  const command = new Command("events")
    .summary("read or follow the log of what happened")
    .description(
      "Lists what happened, newest first: the same events, under the same ids, that webhooks are told. With --after or " +
        "--from-start the oldest comes first. --follow goes on with what happens from now on, or after an id: nothing is " +
        "missed and nothing comes twice, also when the server restarts; in a pipe each event is one line of JSON.\n\n" +
        `Types: ${eventTypes.join(", ")}.`,
    )
    .option("-f, --follow", "wait for more, until Ctrl-C")
    .option("--types <types>", "only these, separated by commas, such as message.received,message.bounced")
    .addOption(agentOption())
    .option("--after <id>", "only what came after this event, evt_…")
    .addOption(new Option("--from-start", "from the oldest event that is kept").conflicts("after"))
    .addOption(limitOption())
    .addOption(tokenOption().conflicts("follow"))
    .action(async (flags: EventFlags, command: Command) => {
      if (flags.follow && command.getOptionValueSource("limit") !== "default")
        throw usageError("--limit does not go with --follow.");
      const session = await openSession(io, command);
      const filter = await filterOf(session, flags);
      await (flags.follow ? follow(session, filter, flags) : list(session, filter, flags));
    });
  return example(command, [
    "e2a events --types message.bounced,message.failed",
    "e2a events --follow",
    "e2a events --follow --after evt_00112233445566778899aabbccddeeff --json >> events.jsonl",
  ]);
}

/** Without an agent in flags or settings, the events of the whole account. */
async function filterOf(session: Session, { types }: EventFlags): Promise<EventFilter> {
  return {
    ...(types ? { types } : {}),
    ...(session.settings.agent.value ? { agent: await chooseAgent(session) } : {}),
  };
}

async function list(session: Session, filter: EventFilter, flags: EventFlags): Promise<void> {
  const { after, fromStart } = flags;
  const sort = after !== undefined || fromStart ? "asc" : "desc";
  const asked = { ...filter, sort, ...(after ? { after } : {}) } as const;
  const page = await collect("events", flags, (at) => session.client.events.list({ ...asked, ...at }));
  await session.show(page, () => eventTable(session, page));
}

function eventTable({ paint, width }: Session, page: EventPage): string {
  if (page.events.length === 0) return "No such events.";
  const agents = new Set(page.events.map(({ agent_id }) => agent_id)).size;
  const lines = table<WireEvent>(
    [
      { title: "WHEN (UTC)", value: ({ timestamp }) => timestamp.slice(0, 19).replace("T", " ") },
      { title: "EVENT", value: ({ type }) => type, style: () => "bold" },
      ...(agents > 1 ? [{ title: "AGENT", value: ({ agent_id }: WireEvent) => agent_id ?? "", shrinks: true }] : []),
      { title: "WHAT", value: gist, shrinks: true },
      { title: "ID", value: ({ id }) => id, style: () => "dim" },
    ],
    page.events,
    { width, paint },
  );
  return lines + moreHint(page, paint);
}

/** The most telling members of an event on one line: its subject, then the text that came with it. */
function gist({ data }: WireEvent): string {
  const text = (name: string) => (typeof data[name] === "string" ? data[name] : "");
  const list = Array.isArray(data.recipients) ? data.recipients.filter((one) => typeof one === "string") : [];
  const from = text("from");
  const about = text("recipient") || list.join(", ") || text("domain") || text("url");
  const words = text("subject") || text("smtp_reply") || text("error") || text("rejection_reason") || text("by");
  const reason = text("reason");
  return [from && about ? `${from} → ${about}` : about, words, reason].filter(Boolean).join("  ");
}

/** Prints events until Ctrl-C. */
async function follow(session: Session, filter: EventFilter, flags: EventFlags): Promise<void> {
  const { io, client } = session;
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const release = io.onInterrupt(() => interrupt.abort());
  const say = (text: string) => void io.stderr.write(`${painter(io.colour.stderr)("dim", plain(text))}\n`);
  try {
    // Asked only once: a server that is down at the start is an error.
    const newest = async () => (await client.events.list({ sort: "desc", page_size: 1, signal })).events[0]?.id ?? null;
    const after = flags.after ?? (flags.fromStart ? null : await newest());
    say("Following the event log. Ctrl-C stops.");
    const events = client.events.follow({
      ...filter,
      types: filter.types?.split(",") as EventType[] | undefined,
      after,
      signal,
      onRetry: (error, waitMs) => say(`${retryReason(error)}; trying again in ${(waitMs / 1000).toFixed(1)} s`),
      onRecovery: () => say("The server answers again."),
    });
    for await (const event of events)
      await write(io.stdout, `${session.json ? toJson(event, false) : line(session, event)}\n`);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    release();
  }
}

/** The description of an event is not cut below this many terminal columns, even if the line then wraps. */
const GIST_COLUMNS_MIN = 20;

/** Time, type, description, id. */
function line({ paint, width }: Session, event: WireEvent): string {
  const at = new Date(event.timestamp);
  const time = Number.isNaN(at.getTime()) ? "--:--:--" : at.toTimeString().slice(0, 8);
  const [type, id] = [plain(event.type), plain(event.id)];
  const rest = [time, type, id].reduce((sum, part) => sum + Bun.stringWidth(part) + 2, 0);
  const what = fit(plain(gist(event)), Math.max(GIST_COLUMNS_MIN, width - rest));
  return [paint("dim", time), paint("bold", type), what, paint("dim", id)].filter(Boolean).join("  ");
}
