import { expect, test } from "bun:test";
import { providerIdOf, renamedMessageId } from "./provider-id.ts";

const own = "<0123456789abcdef0123456789abcdef@agents.example>";
const sender = "bounce+msg_0123.0.abc@agents.example";

const replies: [reply: string | null, id: string | null][] = [
  // Amazon SES, Exchange Online, Brevo, Postmark, Mailgun, SendGrid, Mailjet, SparkPost
  [
    "250 Ok 0102018f2a3b4c5d-5f1d9c6a-1b2c-3d4e-5f60-718293a4b5c6-000000",
    "0102018f2a3b4c5d-5f1d9c6a-1b2c-3d4e-5f60-718293a4b5c6-000000",
  ],
  [
    "250 2.0.0 OK <CH2PR14MB4005FE869D6775CC3C284AD294129@CH2PR14MB4005.namprd14.prod.outlook.com> [Hostname=CH2PR14MB4005.namprd14.prod.outlook.com]",
    "CH2PR14MB4005FE869D6775CC3C284AD294129@CH2PR14MB4005.namprd14.prod.outlook.com",
  ],
  [
    "250 2.0.0 OK: queued as <202305062099.65576553952@smtp-relay.mailin.fr>",
    "202305062099.65576553952@smtp-relay.mailin.fr",
  ],
  ["250 Ok: queued as 0d526848-0422-4d08-95c9-33c1ab388046", "0d526848-0422-4d08-95c9-33c1ab388046"],
  ["250 2.0.0 Ok: queued as 4XyZ12AbCd", "4XyZ12AbCd"],
  ["250 Ok: queued as nhIMmON9SFOPcT0ii4nt2A", "nhIMmON9SFOPcT0ii4nt2A"],
  ["250 OK queued as a08b7f37-ed61-423a-ba75-38ed2fd4b54c", "a08b7f37-ed61-423a-ba75-38ed2fd4b54c"],
  ["250 2.0.0 OK 9C/D1-12345-ABCD1234", "9C/D1-12345-ABCD1234"],
  // Gmail, Yandex, Exim, Sendmail, Haraka, Campaign Monitor
  [
    "250 2.0.0 OK  1700000000 d2e1a72fcca58-6f1e2d3c4b5sm1234567b3a.12 - gsmtp",
    "d2e1a72fcca58-6f1e2d3c4b5sm1234567b3a.12",
  ],
  [
    "250 2.0.0 Ok: queued on smtp3m.mail.yandex.net as 1430081058-6ltgNFKSir-iHEKdOrm",
    "1430081058-6ltgNFKSir-iHEKdOrm",
  ],
  ["250 OK id=1qXyZa-0001bC-2d", "1qXyZa-0001bC-2d"],
  ["250 2.0.0 44ABcdEF012345 Message accepted for delivery", "44ABcdEF012345"],
  ["250 Message Queued (5E1D9C6A-1B2C-3D4E-5F60-718293A4B5C6.1)", "5E1D9C6A-1B2C-3D4E-5F60-718293A4B5C6.1"],
  // Exchange repeats the Message-ID that it got.
  [`250 2.6.0 ${own} [InternalId=12345678901234, Hostname=mx.example] Queued mail for delivery`, "12345678901234"],
  // Servers may repeat the envelope.
  [`250 2.1.5 <${sender}> accepted, queued as 4XyZ12AbCd`, "4XyZ12AbCd"],
  [`250 OK <${sender.toUpperCase()}> <Bob@outside.example> <1@mx.example>`, null],
  [`250 OK <${sender.toUpperCase()}> queued as <1@mx.example>`, "1@mx.example"],
  [`250 2.0.0 OK ${own.toUpperCase()} queued as 4XyZ12AbCd`, "4XyZ12AbCd"],
  [`250 Queued as ${own.replace("agents", "Agents")}`, null],
  ["250 Message accepted for delivery. [BounceId=<x.1@bounce.upstream.example>]", null],
  // Not an id of the message
  ["250 2.0.0 <bob@outside.example> Saved", null],
  ["250 Great success", null],
  ["250 2.0.0 OK", null],
  ["550 5.1.1 queued as 4XyZ12AbCd", null],
  [null, null],
];
test.each(replies)("%p: %p", (reply, id) => {
  expect(providerIdOf(reply, { messageId: own, recipient: "bob@outside.example", sender })).toBe(id);
});

const renamed: [id: string | null, host: string | null, messageId: string | null][] = [
  ["0102-000000", "email-smtp.us-east-1.amazonaws.com", "<0102-000000@email.amazonses.com>"],
  ["0102-000000", "email-smtp.eu-west-1.amazonaws.com", "<0102-000000@eu-west-1.amazonses.com>"],
  ["0102-000000", "email-smtp-fips.us-gov-west-1.amazonaws.com", "<0102-000000@us-gov-west-1.amazonses.com>"],
  ["0102-000000", "vpce-1a2b.email-smtp.us-east-1.vpce.amazonaws.com", "<0102-000000@email.amazonses.com>"],
  ["a@b.prod.outlook.com", "smtp.office365.com", "<a@b.prod.outlook.com>"],
  ["4XyZ12AbCd", "mx.example", null],
  ["4XyZ12AbCd", null, null],
  [null, "email-smtp.us-east-1.amazonaws.com", null],
];
test.each(renamed)("%p from %p was sent as %p", (id, host, messageId) => {
  expect(renamedMessageId(id, host)).toBe(messageId);
});
