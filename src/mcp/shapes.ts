/** The API's answers, by the names that the tools have for them. */
import type { Static } from "@sinclair/typebox";
import type * as account from "../wire/account.ts";
import type * as agent from "../wire/agent.ts";
import type * as attachment from "../wire/attachment.ts";
import type * as conversation from "../wire/conversation.ts";
import type * as message from "../wire/message.ts";
import type * as outbound from "../wire/outbound.ts";

export type Me = Static<typeof account.Me>;
export type Agent = Static<typeof agent.Agent>;
export type Summary = Static<typeof message.MessageSummary>;
export type Attachment = Static<typeof attachment.Attachment>;
export type Detail = Static<typeof message.MessageDetail>;
export type Sent = Static<typeof outbound.Sent>;
export type Outbound = Static<typeof outbound.Outbound>;
export type Conversation = Static<typeof conversation.Conversation>;
