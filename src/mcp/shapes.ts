/** The API's answers, under the names that the tools use. */
import type { Static } from "@sinclair/typebox";
import type * as attachment from "../wire/attachment.ts";
import type * as message from "../wire/message.ts";
import type * as outbound from "../wire/outbound.ts";

export type Summary = Static<typeof message.MessageSummary>;
export type Attachment = Static<typeof attachment.Attachment>;
export type AttachedMessage = Static<typeof message.AttachedMessage>;
export type Detail = Static<typeof message.MessageDetail>;
export type Sent = Static<typeof outbound.Sent>;
export type Outbound = Static<typeof outbound.Outbound>;
