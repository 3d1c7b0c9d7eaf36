import { compose } from "../message/compose.ts";

/**
 * Composes the mail of `POST /agents/{email}/test`: from the relay itself, saying that inbound mail works. Returns the
 * bytes as they would arrive by SMTP (CRLF, RFC 5322).
 */
export function composeTestMail(mail: { from: string; to: string; messageId: string; now: Date }): Promise<Buffer> {
  return compose({
    from: { name: "e2a", address: mail.from },
    replyTo: [],
    to: [{ name: "", address: mail.to }],
    cc: [],
    bcc: [],
    subject: "Test message from e2a",
    text: [
      "This is a test message.",
      "",
      `It was written by the relay, went through the whole inbound path and reached ${mail.to}.`,
      "If you read it in your agent, receiving works.",
      "",
    ].join("\n"),
    html: null,
    attachments: [],
    messageId: mail.messageId,
    date: mail.now,
    inReplyTo: null,
    references: [],
    headers: [],
  });
}
