/**
 * Composes the mail of `POST /agents/{email}/test`: from the relay itself, saying that the way in works.
 * Returns the bytes as they would come by SMTP (CRLF, RFC 5322).
 */
export async function composeTestMail(mail: {
  from: string;
  to: string;
  messageId: string;
  now: Date;
}): Promise<Buffer> {
  // Loaded only when needed: an idle server does without it.
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const composer = new MailComposer({
    from: { name: "e2a", address: mail.from },
    to: mail.to,
    subject: "Test message from e2a",
    messageId: mail.messageId,
    date: mail.now,
    headers: { "Auto-Submitted": "auto-generated" },
    text: [
      "This is a test message.",
      "",
      `It was written by the relay, went through the whole inbound path and reached ${mail.to}.`,
      "If you read it in your agent, receiving works.",
      "",
    ].join("\n"),
    newline: "\r\n",
  });
  return new Promise((resolve, reject) =>
    composer.compile().build((error, bytes) => (error ? reject(error) : resolve(bytes))),
  );
}
