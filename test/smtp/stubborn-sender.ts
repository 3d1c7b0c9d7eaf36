import { SmtpClient } from "./smtp-client.ts";

/**
 * A sender as RFC 5321 4.5.4.1 asks for: it offers each message until it gets a 250, byte for byte the same, over as
 * many connections as it takes. `whenUp` resolves while the server is running.
 */
export async function sendStubbornly(
  port: number,
  mail: { to: string[]; subjects: string[] },
  onAccepted: () => void,
  whenUp: () => Promise<void>,
): Promise<void> {
  let client: SmtpClient | null = null;
  for (let i = 0; i < mail.subjects.length; ) {
    const subject = mail.subjects[i] as string;
    try {
      if (!client) {
        client = await SmtpClient.connect(port);
        await client.expect("220");
        await client.command("EHLO sender.example");
      }
      const commands = ["MAIL FROM:<sender@sender.example>", ...mail.to.map((address) => `RCPT TO:<${address}>`)];
      const envelope = await Promise.all(commands.map((command) => (client as SmtpClient).command(command)));
      if (envelope.some((reply) => reply.code !== 250)) throw new Error("refused");
      const reply = await client.data(
        `From: sender@sender.example\r\nTo: ${mail.to.join(", ")}\r\nSubject: ${subject}\r\n` +
          `Message-ID: <${subject.replaceAll(" ", ".")}@sender.example>\r\n\r\nHello\r\n`,
      );
      if (reply.code !== 250) throw new Error("refused");
      i++;
      onAccepted();
    } catch {
      client?.destroy();
      client = null;
      await whenUp();
    }
  }
  await client?.command("QUIT");
}
