import { listAgents, whoami } from "./account-tools.ts";
import { getAttachment } from "./attachment-tool.ts";
import {
  getConversation,
  labelMessage,
  listConversations,
  listMessages,
  searchMessages,
  waitForMessage,
} from "./inbox-tools.ts";
import { getMessage } from "./message-tools.ts";
import { approveMessage, listPending, rejectMessage } from "./review-tools.ts";
import { checkSend, forwardMessage, replyToMessage, sendEmail } from "./send-tools.ts";
import type { Tool } from "./tool.ts";

/** All tools, in the order in which clients show them. */
export const tools: readonly Tool[] = [
  ...[whoami, listAgents],
  ...[listMessages, searchMessages, waitForMessage, getMessage, getAttachment],
  ...[listConversations, getConversation],
  ...[sendEmail, replyToMessage, forwardMessage, checkSend],
  ...[listPending, approveMessage, rejectMessage],
  labelMessage,
];
