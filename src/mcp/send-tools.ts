import { createHash } from "node:crypto";
import { Type } from "@sinclair/typebox";
import { APIError, type PostOptions } from "../../sdks/typescript/src/index.ts";
import { ToolFailure } from "./failure.ts";
import { Fate, fateLines, fateOf } from "./fate.ts";
import type { Outbound, Sent } from "./shapes.ts";
import { type Context, choice, expects, given, hints, orNull, tool } from "./tool.ts";

const addresses = (description: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 1_000 }), {
    maxItems: 1_000,
    description,
    [expects]: "a list of addresses such as bob@example.com",
  });

const attachment = Type.Object(
  {
    filename: Type.String({ minLength: 1, maxLength: 255 }),
    content_type: Type.Optional(Type.String({ maxLength: 200, description: "`text/plain` for text, if not given." })),
    text: Type.Optional(Type.String({ description: "The file's content, when it is text." })),
    data: Type.Optional(Type.String({ description: "Otherwise its bytes, in base64." })),
  },
  { additionalProperties: false },
);

const text = { body: Type.String({ description: "Plain text." }) };
const subject = { subject: Type.String({ maxLength: 998, description: "One line." }) };
const content = {
  cc: Type.Optional(addresses("Visible to all recipients.")),
  bcc: Type.Optional(addresses("Hidden from the other recipients.")),
  html_body: Type.Optional(Type.String({ description: "The same content as HTML; rarely needed." })),
  attachments: Type.Optional(Type.Array(attachment, { maxItems: 100 })),
};
const once = {
  idempotency_key: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      pattern: "^[\\x20-\\x7e]+$",
      description:
        "Only to send the same email again on purpose within 24 hours: give a new key. Without it, a repeated call sends nothing twice.",
      [expects]: "1 to 200 printable ASCII characters",
    }),
  ),
};

/** The result of a call that sends. */
const sent = {
  message_id: Type.String(),
  agent: Type.String(),
  conversation_id: Type.String(),
  repeated: Type.Boolean({ description: "It was submitted before; nothing was sent again." }),
  fate: Fate,
};

export const sendEmail = tool({
  name: "send_email",
  title: "Send an email",
  description:
    "Sends a new email as the agent. It may be held for a person's approval first. To answer a message use reply_to_message, which keeps the thread.",
  hints: hints.send,
  input: {
    to: addresses("The recipients."),
    ...subject,
    ...text,
    ...content,
    agent: given.agent,
    conversation_id: Type.Optional(given.conversationId),
    ...once,
  },
  output: sent,
  async run({ agent: named, idempotency_key, attachments, ...mail }, context) {
    const agent = await context.api.agentOf(named, context.signal);
    const body = { ...mail, from: agent, ...filesOf(attachments) };
    const post = (options: PostOptions) => context.api.client.send(body, options);
    return handIn({ asked: ["send_email", agent, "/send", body], agent, post, key: idempotency_key }, context);
  },
});

export const replyToMessage = tool({
  name: "reply_to_message",
  title: "Reply to a message",
  description:
    "Answers a message in its thread: to its Reply-To, or else its From. The subject is set automatically. Check the verdict of the message before you tell its sender anything.",
  hints: hints.send,
  input: {
    message_id: given.messageId,
    ...text,
    reply_all: Type.Optional(Type.Boolean({ default: false, description: "Also to everyone else who received it." })),
    quote_history: Type.Optional(
      Type.Boolean({ default: false, description: "Adds the message below the text, as mail programs quote it." }),
    ),
    ...content,
    agent: given.agent,
    ...once,
  },
  output: sent,
  async run({ message_id, agent: named, idempotency_key, attachments, ...reply }, context) {
    const agent = await context.api.agentOf(named, context.signal);
    const body = { ...reply, ...filesOf(attachments) };
    const post = (options: PostOptions) => context.api.client.messages.reply(message_id, body, { ...options, agent });
    const asked = ["reply_to_message", agent, pathOf(agent, message_id, "reply"), body];
    return handIn({ asked, agent, post, key: idempotency_key }, context);
  },
});

export const forwardMessage = tool({
  name: "forward_message",
  title: "Forward a message",
  description: "Forwards a message: its text below yours, and its attachments, unless `include` says otherwise.",
  hints: hints.send,
  input: {
    message_id: given.messageId,
    to: addresses("The recipients."),
    body: Type.Optional(Type.String({ description: "Text to put before it. Plain text." })),
    include: Type.Optional(
      choice(["message", "attachments", "none"], {
        description:
          "Which files to include: the message as one file, its attachments, or none. By default its attachments, with its text quoted.",
      }),
    ),
    quote_history: Type.Optional(
      Type.Boolean({ description: "Whether its text is quoted. By default, only if `include` is not given." }),
    ),
    ...content,
    agent: given.agent,
    ...once,
  },
  output: sent,
  async run({ message_id, agent: named, idempotency_key, attachments, ...forward }, context) {
    const agent = await context.api.agentOf(named, context.signal);
    const body = { ...forward, ...filesOf(attachments) };
    const post = (options: PostOptions) => context.api.client.messages.forward(message_id, body, { ...options, agent });
    const asked = ["forward_message", agent, pathOf(agent, message_id, "forward"), body];
    return handIn({ asked, agent, post, key: idempotency_key }, context);
  },
});

export const checkSend = tool({
  name: "check_send",
  title: "Check before sending",
  description:
    "Shows what would happen to an email without sending it: whether it is sent or waits for a person, and to whom.",
  hints: hints.look,
  input: { to: addresses("The recipients."), ...subject, ...text, ...content, agent: given.agent },
  output: {
    agent: Type.String(),
    decision: choice(["send", "hold"]),
    hold: orNull(Type.String(), "Why it would wait."),
    recipients: Type.Array(
      Type.Object({
        address: Type.String(),
        method: Type.String({ description: "`relay`: an agent here; `smtp`: the outside; `capture`: kept, not sent." }),
        first_time: Type.Boolean({ description: "The agent has never written to it or heard from it." }),
      }),
    ),
  },
  async run({ agent: named, attachments, ...mail }, { api, signal }) {
    const agent = await api.agentOf(named, signal);
    const body = { ...mail, ...filesOf(attachments) };
    const { decision, hold, recipients } = await api.client.agents.check(agent, body, { signal });
    const lines = recipients.map(
      ({ address, method, first_time }) => `${address}: ${method}${first_time ? ", for the first time" : ""}`,
    );
    const head =
      decision === "send" ? "It would be sent at once." : `It would wait for a person. ${hold?.reason ?? ""}`.trim();
    return {
      text: [head, ...lines].join("\n"),
      structured: { agent, decision, hold: hold?.reason ?? null, recipients },
    };
  },
});

/** Attachments in the form of the API. Throws ToolFailure for one without content. */
function filesOf(attachments: { filename: string; content_type?: string; text?: string; data?: string }[] | undefined) {
  if (attachments === undefined) return {};
  return {
    attachments: attachments.map(({ filename, content_type, text, data }, i) => {
      if ((text === undefined) === (data === undefined))
        throw new ToolFailure(`attachments.${i} needs its content: either text or data.`, {
          fix: "Give `text` for a text file, or `data` with the bytes in base64.",
        });
      return text === undefined
        ? { filename, content_type: content_type ?? "application/octet-stream", data: data ?? "" }
        : { filename, content_type: content_type ?? "text/plain", data: Buffer.from(text).toString("base64") };
    }),
  };
}

interface HandIn {
  /** What identifies the mail: the tool, the agent, and the arguments. */
  asked: readonly unknown[];
  agent: string;
  post(options: PostOptions): Promise<Sent>;
  /** The Idempotency-Key that the model gave. */
  key: string | undefined;
}

/** Refusals of one mail that are skipped; a model that repeats a refused mail more often gets the stored refusal. */
const REFUSALS_MAX = 5;

/**
 * The path from which keys are derived. It must not change, so that a call repeated across an upgrade is recognised.
 */
function pathOf(agent: string, messageId: string, act: "reply" | "forward"): string {
  return `/agents/${encodeURIComponent(agent)}/messages/${encodeURIComponent(messageId)}/${act}`;
}

/**
 * Submits a mail once: if a model did not see the answer and repeats the call, it finds the first call's mail. The API
 * also stores refusals under a key, for a day. A refused mail was not sent, though, and may be accepted by now, so the
 * next key of the same mail is tried.
 */
async function handIn({ asked, agent, post, key }: HandIn, context: Context) {
  const { signal } = context;
  const own = key ?? `mcp ${createHash("sha256").update(JSON.stringify(asked)).digest("hex")}`;
  for (let refusals = 0; ; refusals++) {
    const idempotencyKey = refusals === 0 ? own : `${own} ${refusals}`;
    let isReplayed = false;
    const onResponse: PostOptions["onResponse"] = ({ headers }) => {
      isReplayed = headers.has("idempotency-replayed");
    };
    const sent = await post({ idempotencyKey, onResponse, signal }).catch((error: unknown) => {
      if (!(error instanceof APIError) || !isReplayed || refusals === REFUSALS_MAX) throw error;
      return null;
    });
    if (sent !== null) return told(agent, sent, isReplayed, context);
  }
}

async function told(agent: string, first: Sent, isReplayed: boolean, { api, signal, fence }: Context) {
  const { message_id, conversation_id } = first;
  // The stored answer may be out of date.
  const message: Sent | Outbound = isReplayed
    ? await api.client.outbox.get(message_id, { data: false, signal })
    : first;
  const repeated = isReplayed
    ? [
        "This same email was submitted within the last 24 hours: nothing was sent again. To send it again on purpose, give an idempotency_key.",
      ]
    : [];
  return {
    text: [...repeated, `${message_id} from ${agent}.`, ...fateLines(message, fence)].join("\n"),
    structured: { message_id, agent, conversation_id, repeated: isReplayed, fate: fateOf(message) },
  };
}
