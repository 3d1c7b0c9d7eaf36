import type { components } from "../../../sdks/typescript/src/schema.ts";

type MessageDetail = components["schemas"]["MessageDetail"];

type Addressed = Pick<MessageDetail, "from" | "to" | "cc" | "reply_to" | "authentication">;

/** The addresses a reply goes to, and those that it can also include. Like the server, ignores unproven fields. */
export function replyAddresses(message: Addressed, agent: string): { answerTo: string[]; others: string[] } {
  const { unsigned } = message.authentication;
  const named = (field: string, addresses: string[] = []) => (unsigned.includes(field) ? [] : addresses);
  const wished = named("Reply-To", message.reply_to);
  const answerTo = wished.length > 0 ? wished : [message.from];
  const others = [...named("To", message.to), ...named("Cc", message.cc)];
  return { answerTo, others: others.filter((one) => one !== agent && !answerTo.includes(one)) };
}
