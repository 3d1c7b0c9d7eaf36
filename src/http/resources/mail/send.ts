import { Type } from "@sinclair/typebox";
import { replyThread } from "../../../outbound/reply.ts";
import { type Caller, mayUse } from "../../../store/accounts/accounts.ts";
import type { AgentRow } from "../../../store/schema.ts";
import { Failure } from "../../../util/errors.ts";
import { Forecast, Sent } from "../../../wire/outbound.ts";
import { optional } from "../../../wire/words.ts";
import { answer, complete, type Given, invalid, type Opened, openBody, text } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { ownAgent } from "../account/agents.ts";
import * as input from "./send-input.ts";
import { findMessage, mayWrite, type Said, submit, submitFailures } from "./submit.ts";

export function sends(deps: RouteDeps) {
  const { store } = deps;
  const { limits } = deps.config;

  const NewMessage = openBody(
    {
      from: Type.Optional(
        text({
          max: 1_000,
          description: "The agent's address; optional for a key of one agent, or if the account has one agent.",
        }),
      ),
      to: Type.Optional(input.addressList("`a@b.example` or `Name <a@b.example>`.")),
      subject: input.subjectLine,
      body: input.bodyText,
      ...input.contentMembers,
      reply_to: Type.Optional(input.addressList("Where replies go instead of to the agent.")),
      reply_to_message_id: Type.Optional(
        text({
          max: 998,
          description: "What it answers: a message of the agent (`msg_…`), or a Message-ID (`<…@…>`).",
        }),
      ),
      references: Type.Optional(input.referenceList),
    },
    (given, complain, isWrong) => {
      if (given.from) input.readMailboxes("from", given.from, complain);
      input.checkAddressed(given, complain, isWrong);
      input.checkSubject(given.subject, complain);
      input.checkContent(given, complain, limits);
      input.readMailboxes("reply_to", given.reply_to, complain);
      input.checkReferences(given.references ?? [], complain);
    },
  );

  type Message = Given<typeof NewMessage> extends Opened<infer T> ? T : never;

  /** The agent that sends the message. Failures: `not_found`, `forbidden`, `invalid_request` if it is ambiguous. */
  async function authorOf(caller: Caller, from: string | undefined): Promise<AgentRow> {
    const [named] = input.readMailboxes("from", from);
    if (named) {
      const agent = await store.getAgent(named.address);
      if (agent?.userId !== caller.user.id) throw notFound("agent");
      if (mayUse(caller, agent)) return mayWrite(agent);
      throw new Failure("forbidden", `This key may only send as ${caller.agentId}.`, {
        fix: "Leave `from` out, or use a key of scope `account`.",
      });
    }
    if (caller.agentId !== null) return mayWrite(await ownAgent(store, caller, caller.agentId));
    const [only, ...others] = await store.listAgents(caller.user.id);
    if (only && others.length === 0) return only;
    const which = only ? `this account has ${others.length + 1} agents` : "this account has no agent yet";
    throw invalid(
      [{ field: "from", message: `is required: ${which}` }],
      only ? "Give the address of the agent that sends." : "Register an agent with POST /api/v1/agents.",
    );
  }

  /** The thread and conversation of a new message. */
  async function threadOf(agent: AgentRow, answers: string | undefined, references: string[]) {
    const originalConversation = null;
    if (!answers) return { inReplyTo: references.at(-1) ?? null, references, originalConversation };
    if (input.isThreadId(answers)) return { ...replyThread({ messageId: answers, references }), originalConversation };
    const found = await findMessage(deps, agent, answers);
    if (!found)
      throw invalid([
        { field: "reply_to_message_id", message: `is neither a message of ${agent.id} nor a Message-ID` },
      ]);
    const { original } = found;
    const { messageId } = original;
    return {
      ...replyThread({ messageId, references: references.length > 0 ? references : original.references }),
      originalConversation: original.conversationId,
    };
  }

  /** The message, if it has no error. Otherwise Failure `invalid_request` names every error. */
  function checked(caller: Caller, opened: Given<typeof NewMessage>, path?: string): Promise<Message> {
    return complete(opened, async (given, complain) => {
      await input.checkKnown(given, complain, deps);
      const agent = path === undefined ? await authorOf(caller, given.from) : await ownAgent(store, caller, path);
      await threadOf(agent, given.reply_to_message_id, []);
    });
  }

  async function said(agent: AgentRow, given: Message): Promise<Said> {
    const thread = await threadOf(agent, given.reply_to_message_id, given.references ?? []);
    return {
      agent,
      type: "send",
      subject: given.subject,
      ...input.readRecipients(given),
      replyTo: input.readMailboxes("reply_to", given.reply_to),
      ...input.contentOf(given),
      ...thread,
      conversationId: given.conversation_id || thread.originalConversation,
    };
  }

  return resource("/api/v1")
    .post(
      "/send",
      async ({ body, caller, request, exchange, set, status }) => {
        const given = await checked(caller, body);
        const message = await said(await authorOf(caller, given.from), given);
        const outcome = await submit(deps, message, { request, exchange, caller, set });
        return status(outcome.status, outcome.sent);
      },
      {
        body: NewMessage,
        response: { 200: answer(Sent), 202: answer(Sent) },
        ...operation({
          id: "sendMessage",
          tag: "sending",
          takesAttachments: true,
          summary: "Send a message",
          description:
            "The message is stored before delivery starts. 200: at least one recipient accepted it, and none is still being tried. " +
            "202: delivery is in progress (after 10 seconds, or at once with `Prefer: respond-async`), or it is held for a decision. " +
            "502: every recipient was refused permanently. Without an Idempotency-Key, the same request by the same key within " +
            "two minutes of an answer that was not final, or never arrived, gets the first message's answer, marked " +
            "`Idempotent-Replayed: true`.",
          failures: [...submitFailures, "not_found"],
          example: { from: "my-bot@agents.example.com", to: ["bob@example.com"], subject: "Hello", body: "Good day." },
        }),
      },
    )
    .post(
      "/agents/:email/check",
      async ({ params, body, caller }) => {
        const agent = mayWrite(await ownAgent(store, caller, params.email));
        const given = await checked(caller, body, params.email);
        const [from] = input.readMailboxes("from", given.from);
        if (from && from.address !== agent.id)
          throw invalid([{ field: "from", message: `must be ${agent.id}, whose path this is, or left out` }]);
        const { hold, recipients } = await deps.sender.check({
          ...(await said(agent, given)),
          asked: null,
          wait: false,
        });
        return {
          decision: hold ? ("hold" as const) : ("send" as const),
          ...optional("hold", hold ?? undefined),
          recipients: recipients.map(({ address, method, firstTime }) => ({ address, method, first_time: firstTime })),
        };
      },
      {
        body: NewMessage,
        response: { 200: answer(Forecast) },
        ...operation({
          id: "checkMessage",
          tag: "approval",
          takesAttachments: true,
          summary: "Ask whether a message would be held",
          description: "Takes the same body as a send and returns its decision; nothing is stored or sent.",
          failures: ["forbidden", "recipient_suppressed", "upstream_not_configured"],
          example: { to: ["bob@example.com"], subject: "Hello", body: "Good day." },
        }),
      },
    );
}
