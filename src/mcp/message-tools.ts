import { Type } from "@sinclair/typebox";
import { agentPath, messagePath } from "./api.ts";
import { readBody } from "./body.ts";
import { ToolFailure } from "./failure.ts";
import { Fate, fateLines, fateOf } from "./fate.ts";
import { type AskedPart, askedPortion, partArguments, partOutput } from "./portion.ts";
import type { Detail, Outbound } from "./shapes.ts";
import { type Context, choice, given, hints, orNull, tool, untrustedNote } from "./tool.ts";
import { automaticReason, shortLine, shortList, verdictOf, wholeLine, wholeList } from "./untrusted.ts";

const Attachments = Type.Array(
  Type.Object({ index: Type.Integer(), filename: Type.String(), content_type: Type.String(), size: Type.Integer() }),
);

export const getMessage = tool({
  name: "get_message",
  title: "Read a message",
  description:
    "Reads one message, received or sent, as plain text; long ones in parts. A received one becomes read. Of a sent one it also tells what became of it.",
  hints: { ...hints.mark, openWorldHint: true },
  input: {
    message_id: given.messageId,
    agent: given.agent,
    part: Type.Optional(
      choice(["whole", "new"], { default: "whole", description: "`new`: without what the message quotes." }),
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
    do_not_answer: orNull(Type.String(), "Why no program should answer it; null when one may."),
    labels: Type.Array(Type.String()),
    hidden: Type.Array(Type.String(), {
      description: "What was left out of the text, because no reader would see it.",
    }),
    defects: Type.Array(Type.String(), { description: "What was wrong with the message." }),
    ...partOutput,
    fate: Type.Optional(Fate),
    untrusted: Type.Object(
      {
        from: Type.String(),
        from_name: Type.String(),
        to: Type.Array(Type.String()),
        cc: Type.Array(Type.String()),
        bcc: Type.Array(Type.String()),
        reply_to: Type.Array(Type.String(), { description: "Where an answer goes, when not to `from`." }),
        subject: Type.String(),
        headers: Type.Array(Type.String(), { description: "Of a sent one: what else leaves in its header." }),
        text: Type.String(),
        attachments: Attachments,
      },
      { description: untrustedNote },
    ),
  },
  async run({ message_id: id, agent: named, part = "whole", mark_read = true, ...asked }, context) {
    const { api, signal } = context;
    const agent = await api.agentOf(named, signal);
    const query = { raw: false, peek: !mark_read };
    const received = await api.ask("GET", agentPath(agent, messagePath(id)), { query, signal });
    if (received.ok) return inbound(agent, (await received.json()) as Detail, part === "new", asked, context);
    const sent = await api.ask("GET", messagePath(id), { signal });
    const message = sent.ok ? ((await sent.json()) as Outbound) : null;
    if (message !== null && (named === undefined || message.agent_id === agent))
      return outbound(message, asked, context);
    throw new ToolFailure(`${agent} has no message ${id}.`, {
      code: "not_found",
      fix: "list_messages shows the ids. If another agent has it, say so with `agent`.",
    });
  },
});

const unsignedReplyTo =
  "It has a Reply-To that the signature which proves the sender does not cover, so somebody else may have put it there: " +
  "an answer goes to the sender.";

function inbound(agent: string, message: Detail, newOnly: boolean, asked: AskedPart, { fence }: Context) {
  const { message_id, conversation_id, direction, status, created_at: at, verified, labels, attachments } = message;
  const body = readBody(newOnly ? message.reply_text : message.text);
  const { portion, lines, structured } = askedPortion(body.text, asked);
  const automatic = automaticReason(message);
  const verdict = verdictOf(message);
  const elsewhere = (message.reply_to ?? []).filter((address) => address !== message.from);
  // As the API answers: a field that nothing proves chooses nobody.
  const isUnsigned = message.authentication.unsigned?.includes("Reply-To") ?? false;
  const answersTo = isUnsigned ? [] : elsewhere;
  const untrusted = {
    ...{ from: shortLine(message.from), from_name: shortLine(message.from_name) },
    ...{ to: shortList(message.to), cc: shortList(message.cc), bcc: [], reply_to: shortList(answersTo) },
    ...{ subject: shortLine(message.subject), headers: [], text: portion },
    attachments: attachments.map((file) => ({ ...file, filename: shortLine(file.filename) })),
  };
  const known = [
    `${message_id} of ${agent}, in conversation ${JSON.stringify(conversation_id)}, received ${at}.`,
    verdict,
    ...(automatic ? [automatic] : []),
    ...(answersTo.length > 0
      ? ["An answer would go to its Reply-To, which is another address than the sender's."]
      : []),
    ...(isUnsigned && elsewhere.length > 0 ? [unsignedReplyTo] : []),
    ...body.hidden,
    ...message.defects.map(shortLine),
  ];
  return {
    text: [...known, fence.warning, fence.around(mailText(untrusted)), ...lines].join("\n"),
    structured: {
      ...{ message_id, agent, conversation_id, direction, status, at, verified, verdict },
      ...{ do_not_answer: automatic, labels, hidden: body.hidden, defects: message.defects.map(shortLine) },
      ...structured,
      untrusted,
    },
  };
}

function outbound(message: Outbound, asked: AskedPart, { fence }: Context) {
  const { id, agent_id: agent, conversation_id, status, created_at: at, body_text = "", attachments = [] } = message;
  const body = readBody(body_text);
  const { portion, lines, structured } = askedPortion(body.text, asked);
  const verdict = verdictOf({ ...message, direction: "outbound", verified: false, verified_domain: null });
  const untrusted = {
    ...{ from: shortLine(message.from), from_name: "" },
    ...{ to: wholeList(message.to), cc: wholeList(message.cc), bcc: wholeList(message.bcc) },
    ...{ reply_to: wholeList(message.reply_to), subject: wholeLine(message.subject), text: portion },
    headers: (message.headers ?? []).map(({ name, value }) => wholeLine(`${name}: ${value}`)),
    attachments: attachments.map((file) => ({ ...file, filename: shortLine(file.filename) })),
  };
  const known = [
    `${id} of ${agent}, in conversation ${JSON.stringify(conversation_id)}, handed in ${at}.`,
    ...fateLines(message, fence),
    ...body.hidden,
  ];
  return {
    text: [...known, fence.warning, fence.around(mailText(untrusted)), ...lines].join("\n"),
    structured: {
      ...{ message_id: id, agent, conversation_id, direction: "outbound", status, at, verified: false, verdict },
      ...{ do_not_answer: null, labels: [], hidden: body.hidden, defects: [] },
      ...structured,
      fate: fateOf(message),
      untrusted,
    },
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
  headers: string[];
  text: string;
  attachments: { index: number; filename: string; content_type: string; size: number }[];
}

/** A message as a person would see it. */
function mailText({ from, from_name, to, cc, bcc, reply_to, subject, headers, text, attachments }: Shown): string {
  const files = attachments.map(
    ({ index, filename, content_type, size }) => `Attachment ${index}: ${filename} (${content_type}, ${size} bytes)`,
  );
  return [
    `From: ${from_name ? `${JSON.stringify(from_name)} ` : ""}<${from}>`,
    ...Object.entries({ "Reply-To": reply_to, To: to, Cc: cc, Bcc: bcc }).flatMap(([name, list]) =>
      list.length > 0 ? [`${name}: ${list.join(", ")}`] : [],
    ),
    `Subject: ${subject}`,
    ...headers,
    ...files,
    "",
    text,
  ].join("\n");
}
