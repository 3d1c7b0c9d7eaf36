/** Mail as a real sender would send it: 4 KB, text and HTML, signed with a 2048-bit key. */
import { generateKeyPairSync } from "node:crypto";
import { createTransport } from "nodemailer";
import type { Zone } from "../../test/support/dns-server.ts";

const senderDomain = "sender.example";
const selector = "bench";
/** Size of one message on the wire, including headers and signature. */
const MESSAGE_BYTES = 4096;

const words = "The quick brown fox jumps over the lazy dog while the agent reads it.";

/** The text of an agent's message: some 4 KB, in lines that need no encoding. */
export const agentText = `${words}\n`.repeat(Math.floor(MESSAGE_BYTES / (words.length + 1)));

export const agentSubject = (number: number) => `Report ${number}`;

export const mailFrom = `news@bounces.${senderDomain}`;

/** Makes a signing key, and the zone that proves mail signed with it and sent from loopback. */
export function newSender(): { privateKey: string; zone: Zone } {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "der" },
  });
  const zone: Zone = {
    [`bounces.${senderDomain}`]: { TXT: ["v=spf1 ip4:127.0.0.1 -all"] },
    [`${selector}._domainkey.${senderDomain}`]: { TXT: [`v=DKIM1; k=rsa; p=${publicKey.toString("base64")}`] },
    [`_dmarc.${senderDomain}`]: { TXT: ["v=DMARC1; p=reject"] },
  };
  return { privateKey, zone };
}

/** Makes `count` messages, each with its own Message-ID and signature. Lines end in CRLF; none starts with a dot. */
export async function signedMails(count: number, privateKey: string, to: string): Promise<Buffer[]> {
  const composer = createTransport({
    streamTransport: true,
    buffer: true,
    newline: "windows",
    dkim: { domainName: senderDomain, keySelector: selector, privateKey },
  });
  const compose = async (number: number, paragraphs: number, ruler: string) => {
    const { message } = await composer.sendMail({
      from: { name: "Sender", address: `news@${senderDomain}` },
      to,
      subject: agentSubject(number),
      messageId: `<${number}.${Date.now()}@${senderDomain}>`,
      text: `${`${words}\n`.repeat(paragraphs)}\nMessage ${number}.\n${ruler}`,
      html: `<html><body>${`<p>${words}</p>\n`.repeat(paragraphs)}<p>Message <b>${number}</b>.</p></body></html>`,
    });
    return message as Buffer;
  };
  const bytes = async (paragraphs: number) => (await compose(count, paragraphs, "")).length;
  const [none, one] = [await bytes(0), await bytes(1)];
  const paragraphs = Math.floor((MESSAGE_BYTES - none) / (one - none));
  // Fill the rest with dashes, in lines short enough to need no encoding.
  const ruler = `${"-".repeat(48)}\n`.repeat((MESSAGE_BYTES - (await bytes(paragraphs))) / 50);
  const mails: Buffer[] = [];
  for (let number = 1; number <= count; number++) mails.push(await compose(number, paragraphs, ruler));
  return mails;
}
