/** Messages that cannot be sent, with the complaint about each wrong field. */
export interface BadMessage {
  name: string;
  /** Members that replace those of a good message. */
  message: (agent: string) => object;
  /** Every field that the answer names, with its complaint. */
  errors: Record<string, RegExp>;
}

const file = (more: object) => ({ filename: "a.txt", content_type: "text/plain", data: "b25l", ...more });
const twoFiles = [file({ content_id: "x" }), file({ content_id: "<x>" })];

export const badMessages: BadMessage[] = [
  {
    name: "everything wrong at once",
    message: () => ({
      from: "nobody",
      to: ["ann@outside.example", "not an address", "a@b@outside.example"],
      cc: "also wrong",
      bcc: [7],
      subject: "two\r\nBcc: eve@outside.example",
      body: 5,
      html_body: ["<b>"],
      conversation_id: "two\nlines",
      reply_to: ["Desk <desk>"],
      references: ["<a@b.example>", "<a b@c.example>", "plain"],
      attachments: [file({ data: "*" }), file({ filename: "../x" }), file({ content_type: "text" })],
      headers: { "X-Good": "yes", "X Bad": "name" },
    }),
    errors: {
      from: /^is not an address: /,
      "to.1": /^is not an address: /,
      "to.2": /^is not an address: /,
      cc: /^is not an address: /,
      bcc: /^must be a list of at most \d+ addresses$/,
      subject: /without line breaks/,
      body: /^must be text$/,
      html_body: /^must be text$/,
      conversation_id: /without line breaks/,
      "reply_to.0": /^is not an address: /,
      "references.1": /^must be a Message-ID/,
      "references.2": /^must be a Message-ID/,
      "attachments.0.data": /base64/,
      "attachments.1.filename": /without slashes/,
      "attachments.2.content_type": /media type/,
      "headers.X Bad": /letters, digits and hyphens/,
    },
  },
  {
    name: "what only the store knows, beside what can be seen",
    message: (agent) => ({
      to: ["not an address", `nobody-here@${agent.split("@")[1]}`, agent],
      cc: [`nobody-either@${agent.split("@")[1]}`],
      reply_to_message_id: `msg_${"0".repeat(32)}`,
      references: ["plain"],
    }),
    errors: {
      "to.0": /^is not an address: /,
      "to.1": /does not exist on this server/,
      "cc.0": /does not exist on this server/,
      reply_to_message_id: /is neither a message of/,
      "references.0": /^must be a Message-ID/,
    },
  },
  {
    name: "base64 in lines of two characters",
    message: () => ({ attachments: [file({ data: "AA\nAA\n".repeat(1_000) })] }),
    errors: { "attachments.0.data": /lines of at least 16 characters/ },
  },
  {
    name: "base64 that is none, the place named",
    message: () => ({
      attachments: [file({}), file({ data: "b25" }), file({ data: "b25l!" }), file({ data: "b2=l" })],
    }),
    errors: {
      "attachments.1.data": /base64/,
      "attachments.2.data": /base64/,
      "attachments.3.data": /base64/,
    },
  },
  {
    name: "two files of one Content-ID",
    message: () => ({ attachments: twoFiles }),
    errors: { "attachments.1.content_id": /used by another attachment/ },
  },
  {
    name: "an attachment without a name or content",
    message: () => ({ attachments: [{ content_type: "text/plain" }] }),
    errors: { "attachments.0.filename": /required/, "attachments.0.data": /required/ },
  },
  { name: "a message without text", message: () => ({ body: null }), errors: { body: /required/ } },
  { name: "a message without a subject", message: () => ({ subject: null }), errors: { subject: /required/ } },
  {
    name: "a message to nobody",
    message: () => ({ to: [], cc: "", bcc: null }),
    errors: { to: /at least one recipient/ },
  },
  {
    name: "more recipients than one message may have, each counted once",
    message: () => ({
      to: Array.from({ length: 40 }, (_, i) => `to${i}@outside.example`),
      cc: Array.from({ length: 40 }, (_, i) => `TO${i}@outside.example`),
      bcc: Array.from({ length: 11 }, (_, i) => `bcc${i}@outside.example`),
    }),
    errors: { to: /names 51 recipients; a message has at most 50/ },
  },
  {
    name: "header fields that are the server's",
    message: () => ({
      headers: {
        ...{ From: "x", "message-id": "x", "DKIM-Signature": "x", "ARC-Seal": "x", "Content-Type": "x", Bcc: "x" },
        ...{ "X-E2A-Auth-Verified": "true", "Auto-Submitted": "no", "Resent-To": "x", Received: "x", Sender: "x" },
      },
    }),
    errors: Object.fromEntries(
      [
        ...["From", "message-id", "DKIM-Signature", "ARC-Seal", "Content-Type", "Bcc", "X-E2A-Auth-Verified"],
        ...["Auto-Submitted", "Resent-To", "Received", "Sender"],
      ].map((name) => [`headers.${name}`, /^is set by the server$/]),
    ),
  },
  {
    name: "header fields that are commands to a mail service",
    message: () => ({
      headers: {
        ...{ "X-SMTPAPI": '{"to":["eve@outside.example"]}', "x-mc-BccAddress": "eve@outside.example" },
        ...{
          "X-MSYS-API": '{"bcc":[]}',
          "X-MJ-TemplateID": "1",
          "X-Mailjet-Prio": "1",
          "X-Mailgun-Template-Name": "x",
        },
        ...{ "x-mq-envelope": "eve@outside.example", "X-Campaign": "spring", "X-PMX": "x", "X-Session": "x" },
        ...{ "X-PM-TrackLinks": "HtmlAndText", "x-ses-configuration-set": "x", "X-Mailin-Tag": "x" },
        ...{ "AhaSend-Track-Clicks": "true", "X-MT-Category": "x", "X-TM-TRACKING": "{}", "X-UNIONE": "{}" },
        ...{ "X-Receiver": "eve@outside.example", "X-MS-Exchange-Organization-SCL": "-1" },
      },
    }),
    errors: Object.fromEntries(
      [
        ...["X-SMTPAPI", "x-mc-BccAddress", "X-MSYS-API", "X-MJ-TemplateID", "X-Mailjet-Prio"],
        ...["X-Mailgun-Template-Name", "x-mq-envelope", "X-PM-TrackLinks", "x-ses-configuration-set", "X-Mailin-Tag"],
        ...["AhaSend-Track-Clicks", "X-MT-Category", "X-TM-TRACKING", "X-UNIONE", "X-Receiver"],
        ...["X-MS-Exchange-Organization-SCL"],
      ].map((name) => [`headers.${name}`, /^is a command to a mail service/]),
    ),
  },
  {
    name: "header fields with wrong names and values",
    message: () => ({
      headers: {
        ...{ "X-Two\r\nX-Lines": "x", "X-Colon:": "x", "X-Ünï": "x", "X-Line": "a\r\nBcc: eve@outside.example" },
        ...{ "X-Empty": " ", "X-Long": "x".repeat(999), "X-Same": "1", "x-same": "2" },
        "Disposition-Notification-To": "eve@outside.example",
      },
    }),
    errors: {
      ...{ "headers.X-Two\r\nX-Lines": /name/, "headers.X-Colon:": /name/, "headers.X-Ünï": /name/ },
      ...{ "headers.X-Line": /one line/, "headers.X-Empty": /one line/, "headers.X-Long": /one line/ },
      ...{ "headers.x-same": /twice/, "headers.Disposition-Notification-To": /receipts/ },
    },
  },
  {
    name: "what is no object, and nesting where a text belongs",
    message: () => ({
      headers: ["X-A: b"],
      attachments: [file({ more: JSON.parse(`${"[".repeat(25)}${"]".repeat(25)}`) }), file({})],
    }),
    errors: { headers: /^must be an object/, "attachments.0.more": /is unknown/ },
  },
  {
    name: "a message that answers none",
    message: () => ({ reply_to_message_id: "msg_none" }),
    errors: { reply_to_message_id: /is neither a message of/ },
  },
];
