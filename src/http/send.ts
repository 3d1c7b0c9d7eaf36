import { Type } from "@sinclair/typebox";
import { Failure } from "../errors.ts";
import { replyThread } from "../outbound/reply.ts";
import { type Caller, mayUse } from "../store/accounts.ts";
import type { AgentRow } from "../store/schema.ts";
import { ownAgent } from "./agents.ts";
import { answer, body, invalid, text } from "./input.ts";
import { operation } from "./openapi.ts";
import { Sent } from "./outbound-wire.ts";
import { notFound } from "./problem.ts";
import { type RouteDeps, resource } from "./resource.ts";
import * as input from "./send-input.ts";
import { findMessage, mayWrite, submit, submitFailures } from "./submit.ts";

export function sends(deps: RouteDeps) {
  const { store } = deps;
  const { limits } = deps.config;

  const NewMessage = body(
    {
      from: Type.Optional(
        text({ max: 1_000, description: "The agent's address; not needed by a key of one agent, or with one agent." }),
      ),
      to: Type.Optional(input.addressList("`a@b.example` or `Name <a@b.example>`.")),
      subject: text({
        max: 998,
        pattern: "^[^\\x00-\\x08\\x0a-\\x1f\\x7f\\x85\\u2028\\u2029]*$",
        says: "one line of at most 998 characters, without line breaks",
      }),
      body: input.bodyText,
      ...input.contentMembers,
      reply_to: Type.Optional(input.addressList("Where answers go instead of to the agent.")),
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
      input.checkContent(given, complain, limits);
      input.readMailboxes("reply_to", given.reply_to, complain);
      input.checkReferences(given.references ?? [], complain);
    },
  );

  /** Whose message it is. Failures: `not_found`, `forbidden`, `invalid_request` when there is a choice to be made. */
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

  /** Where a new message stands among others. */
  async function threadOf(agent: AgentRow, answers: string | undefined, references: string[]) {
    if (!answers) return { inReplyTo: references.at(-1) ?? null, references, conversationId: null };
    if (input.isThreadId(answers)) return { ...replyThread({ messageId: answers, references }), conversationId: null };
    const found = await findMessage(store, agent, answers);
    if (!found)
      throw invalid([{ field: "reply_to_message_id", message: `is no message of ${agent.id}, nor a Message-ID` }]);
    const { original } = found;
    const { messageId } = original;
    return {
      ...replyThread({ messageId, references: references.length > 0 ? references : original.references }),
      conversationId: original.conversationId,
    };
  }

  return resource(deps, "/api/v1/send").post(
    "",
    async ({ body, caller, request, exchange, set, status }) => {
      const agent = await authorOf(caller, body.from);
      const thread = await threadOf(agent, body.reply_to_message_id, body.references ?? []);
      const outcome = await submit(
        deps,
        {
          ...{ agent, type: "send", subject: body.subject },
          ...input.readRecipients(body),
          replyTo: input.readMailboxes("reply_to", body.reply_to),
          ...input.contentOf(body),
          ...thread,
          conversationId: body.conversation_id || thread.conversationId,
        },
        { request, exchange, set },
      );
      return status(outcome.status, outcome.sent);
    },
    {
      body: NewMessage,
      response: { 200: answer(Sent), 202: answer(Sent) },
      ...operation({
        id: "sendMessage",
        tag: "sending",
        summary: "Send a message",
        description:
          "It is kept before anything is tried. 200: somebody has taken it, and nobody is still being tried. " +
          "202: it is under way (after 10 seconds, or at once with `Prefer: respond-async`), or held for a decision. " +
          "502: every recipient was refused for good.",
        failures: [...submitFailures, "not_found"],
        example: { from: "my-bot@agents.example.com", to: ["bob@example.com"], subject: "Hello", body: "Good day." },
      }),
    },
  );
}
