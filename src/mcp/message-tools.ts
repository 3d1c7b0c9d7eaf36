import { Type } from "@sinclair/typebox";
import { calendarLine } from "../message/calendar/words.ts";
import { Calendar } from "../wire/calendar.ts";
import type { AskedPart, Portion } from "./body.ts";
import { ToolFailure } from "./failure.ts";
import { Fate, fateLines, fateOf } from "./fate.ts";
import { findMessage } from "./find-message.ts";
import { partArguments, partOutput, shownPortion } from "./portion.ts";
import { notesOf } from "./review-tools.ts";
import type { Detail, Outbound } from "./shapes.ts";
import { type Context, choice, given, hints, orNull, tool, untrustedNote } from "./tool.ts";
import {
  automaticReason,
  conversationName,
  shortLine,
  shortList,
  verdictOf,
  wholeLine,
  wholeList,
} from "./untrusted.ts";

const Attachments = Type.Array(
  Type.Object({ index: Type.Integer(), filename: Type.String(), content_type: Type.String(), size: Type.Integer() }),
);

export const getMessage = tool({
  name: "get_message",
  title: "Read a message",
  description:
    "Reads one message, received or sent, as plain text; long ones in parts. A received one becomes read. For a sent one it also shows its status, and what its HTML says if that differs.",
  hints: { ...hints.mark, openWorldHint: true },
  input: {
    message_id: given.messageId,
    agent: given.agent,
    part: Type.Optional(
      choice(["whole", "new", "html"], {
        default: "whole",
        description: "`new`: without what the message quotes. `html`: the HTML version as its reader sees it.",
      }),
    ),
    ...partArguments,
    mark_read: Type.Optional(Type.Boolean({ default: true })),
  },
  output: {
    message_id: Type.String(),
    agent: Type.String(),
    conversation_id: Type.String(),
    direction: Type.String(),
    status: Type.String(),
    at: Type.String(),
    verified: Type.Boolean({ description: "Whether the domain it says it is from is proven." }),
    verdict: Type.String(),
    do_not_answer: orNull(Type.String(), "Why a program should not answer it; null if it may."),
    labels: Type.Array(Type.String()),
    hidden: Type.Array(Type.String(), {
      description: "What was left out of the text because readers do not see it.",
    }),
    defects: Type.Array(Type.Object({ code: Type.String(), detail: Type.String() }), {
      description: "What was repaired, guessed or left out when it was read.",
    }),
    ...partOutput,
    fate: Type.Optional(Fate),
    untrusted: Type.Object(
      {
        from: Type.String(),
        from_name: Type.String(),
        to: Type.Array(Type.String()),
        cc: Type.Array(Type.String()),
        bcc: Type.Array(Type.String()),
        reply_to: Type.Array(Type.String(), { description: "Where a reply goes, if not to `from`." }),
        subject: Type.String(),
        in_reply_to: orNull(Type.String(), "The Message-ID that a received one says it answers."),
        headers: Type.Array(Type.String(), { description: "For a sent one: other header fields that are sent." }),
        text: Type.String(),
        html_text: Type.Optional(Type.String({ description: "For a sent one: what its HTML shows, if that differs." })),
        notes: Type.Optional(
          Type.Array(Type.String(), { description: "For a held one: what its reviewers are told." }),
        ),
        attachments: Attachments,
        calendar: Type.Optional(Type.Object(Calendar.properties, { description: "The event that it is about." })),
      },
      { description: untrustedNote },
    ),
  },
  async run({ message_id: id, agent: named, part = "whole", mark_read = true, ...asked }, context) {
    const query = { raw: false as const, peek: !mark_read };
    const found = await findMessage(id, named, query, context);
    return "received" in found
      ? inbound(found.agent, found.received, part, asked, context)
      : outbound(found.sent, part, asked, context);
  },
});

type Part = "whole" | "new" | "html";

/** The portion that a call asks for of a message's HTML. Throws ToolFailure if it has none. */
function askedHtml(html: string | null, asked: AskedPart, { reader }: Context): Promise<Portion> {
  if (html !== null) return reader.html(html, asked);
  throw new ToolFailure("The message has no HTML.", { fix: "Call again without part." });
}

const unsignedReplyTo =
  "It has a Reply-To that the sender's signature does not cover, so a third party may have added it: " +
  "a reply goes to the sender.";

async function inbound(agent: string, message: Detail, part: Part, asked: AskedPart, context: Context) {
  const { fence } = context;
  const { message_id, conversation_id, direction, status, created_at: at, verified, labels, attachments } = message;
  const words = part === "new" ? message.reply_text : message.text;
  const body =
    part === "html"
      ? await askedHtml(message.html, asked, context)
      : (await context.reader.message(words, null, { text: asked, html: {} })).text;
  const { portion, lines, structured } = shownPortion(body, asked);
  const automatic = automaticReason(message);
  const verdict = verdictOf(message);
  const elsewhere = (message.reply_to ?? []).filter((address) => address !== message.from);
  // The API does the same: an unproven field chooses no recipients.
  const isUnsigned = message.authentication.unsigned?.includes("Reply-To") ?? false;
  const answersTo = isUnsigned ? [] : elsewhere;
  const untrusted = {
    from: shortLine(message.from),
    from_name: shortLine(message.from_name),
    to: shortList(message.to),
    cc: shortList(message.cc),
    bcc: [],
    reply_to: shortList(answersTo),
    subject: shortLine(message.subject),
    headers: [],
    text: portion,
    in_reply_to: message.in_reply_to === null ? null : wholeLine(message.in_reply_to),
    attachments: attachments.map((file) => ({ ...file, filename: shortLine(file.filename) })),
    ...(message.calendar ? { calendar: shownCalendar(message.calendar) } : {}),
  };
  const defects = message.defects.map(({ code, detail }) => ({ code: shortLine(code), detail: shortLine(detail) }));
  const known = [
    `${message_id} of ${agent}, in conversation ${conversationName(conversation_id, fence)}, received ${at}.`,
    verdict,
    ...(automatic ? [automatic] : []),
    ...(answersTo.length > 0 ? ["A reply would go to its Reply-To, which is not the sender's address."] : []),
    ...(isUnsigned && elsewhere.length > 0 ? [unsignedReplyTo] : []),
    ...body.hidden,
    ...defects.map(({ detail }) => detail),
  ];
  return {
    text: [...known, fence.warning, fence.around(mailText(untrusted)), ...lines].join("\n"),
    structured: {
      message_id,
      agent,
      conversation_id,
      direction,
      status,
      at,
      verified,
      verdict,
      do_not_answer: automatic,
      labels,
      hidden: body.hidden,
      defects,
      ...structured,
      untrusted,
    },
  };
}

const otherHtml =
  "It also has HTML, which most readers show instead of the text, and which is not the same. As text it says:";

async function outbound(message: Outbound, part: Part, asked: AskedPart, context: Context) {
  const { fence, reader } = context;
  const { id, agent_id: agent, conversation_id, status, created_at: at, body_text = "", attachments = [] } = message;
  const source = message.body_html ?? null;
  const { text: body, html } =
    part === "html"
      ? { text: await askedHtml(source, asked, context), html: null }
      : await reader.message(body_text, source, { text: asked, html: { ...asked, offset: 0 } });
  const { portion, lines, structured } = shownPortion(body, asked);
  const htmlNext = html?.nextOffset ?? null;
  const notes = notesOf(message);
  const hidden = [...body.hidden, ...(html?.hidden ?? [])];
  const verdict = verdictOf({ ...message, direction: "outbound", verified: false, verified_domain: null });
  const untrusted = {
    from: shortLine(message.from),
    from_name: "",
    to: wholeList(message.to),
    cc: wholeList(message.cc),
    bcc: wholeList(message.bcc),
    reply_to: wholeList(message.reply_to),
    subject: wholeLine(message.subject),
    text: portion,
    in_reply_to: null,
    headers: (message.headers ?? []).map(({ name, value }) => wholeLine(`${name}: ${value}`)),
    ...(html ? { html_text: html.text } : {}),
    ...(notes.length > 0 ? { notes } : {}),
    attachments: attachments.map((file) => ({ ...file, filename: wholeLine(file.filename) })),
  };
  const known = [
    `${id} of ${agent}, in conversation ${conversationName(conversation_id, fence)}, handed in ${at}.`,
    ...fateLines(message, fence),
    ...hidden,
  ];
  const version = html
    ? [
        otherHtml,
        fence.around(html.text),
        ...(htmlNext === null ? [] : [`The HTML goes on: call again with part "html" and offset ${htmlNext}.`]),
      ]
    : [];
  return {
    text: [
      ...[...known, fence.warning, fence.around(mailText(untrusted)), ...lines, ...version],
      ...(notes.length > 0 ? [`Notes for reviewers: ${fence.line(notes)}`] : []),
    ].join("\n"),
    structured: {
      message_id: id,
      agent,
      conversation_id,
      direction: "outbound",
      status,
      at,
      verified: false,
      verdict,
      do_not_answer: null,
      labels: [],
      hidden,
      defects: [],
      ...structured,
      fate: fateOf(message),
      untrusted,
    },
  };
}

function shownCalendar(calendar: NonNullable<Detail["calendar"]>): NonNullable<Detail["calendar"]> {
  const { uid, summary, location, organizer, organizer_name } = calendar;
  return {
    ...calendar,
    ...{ uid: wholeLine(uid), summary: shortLine(summary), location: shortLine(location) },
    organizer: organizer === null ? null : shortLine(organizer),
    organizer_name: shortLine(organizer_name),
  };
}

interface Shown {
  from: string;
  from_name: string;
  to: string[];
  cc: string[];
  bcc: string[];
  reply_to: string[];
  subject: string;
  in_reply_to: string | null;
  headers: string[];
  text: string;
  attachments: { index: number; filename: string; content_type: string; size: number }[];
  calendar?: NonNullable<Detail["calendar"]>;
}

/** A message as a person would see it. */
function mailText({
  from,
  from_name,
  to,
  cc,
  bcc,
  reply_to,
  subject,
  in_reply_to,
  headers,
  text,
  attachments,
  calendar,
}: Shown): string {
  const files = attachments.map(
    ({ index, filename, content_type, size }) => `Attachment ${index}: ${filename} (${content_type}, ${size} bytes)`,
  );
  return [
    `From: ${from_name ? `${JSON.stringify(from_name)} ` : ""}<${from}>`,
    ...Object.entries({ "Reply-To": reply_to, To: to, Cc: cc, Bcc: bcc }).flatMap(([name, list]) =>
      list.length > 0 ? [`${name}: ${list.join(", ")}`] : [],
    ),
    `Subject: ${subject}`,
    ...(in_reply_to === null ? [] : [`In-Reply-To: ${in_reply_to}`]),
    ...headers,
    ...(calendar ? [calendarLine(calendar)] : []),
    ...files,
    "",
    text,
  ].join("\n");
}
