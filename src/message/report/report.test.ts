import { describe, expect, test } from "bun:test";
import { superlinear } from "../../../test/support/growth.ts";
import { isHardBounce, type Report, readReport } from "./report.ts";

const fixture = (name: string) => Bun.file(`${import.meta.dir}/fixtures/${name}.eml`).text();
const read = (text: string, envelopeFrom: string, toReturnPath: boolean) =>
  readReport(Buffer.from(text), envelopeFrom, { toReturnPath });

const returnPath = "bounce+0198f3a1c2d37abc8def0123456789ab.0.abcdefghijklmnopqrst@agents.example";
const order = "<order-1@agents.example>";
const ann = "ann@shop.example";

/** One recipient: address, action, status, what the diagnostic begins with, and whether it is a hard bounce. */
type Row = [recipient: string | null, action: string, status: string | null, diagnostic: string, hard: boolean];

/** Bounces in the form of RFC 3464: read wherever they arrive. */
const notifications: Record<string, Row[]> = {
  "postfix-failed": [
    [ann, "failed", "5.1.1", `550 5.1.1 <${ann}>: Recipient address rejected: User unknown in l`, true],
  ],
  "postfix-delayed": [
    [ann, "delayed", "4.4.1", "connect to mail.shop.example[192.0.2.20]:25: Connection timed", false],
  ],
  "postfix-success": [
    [ann, "delivered", "2.0.0", "delivered to mailbox", false],
    ["ben@far.example", "relayed", "2.0.0", "250 2.0.0 Ok: queued as 4XyZ", false],
  ],
  "postfix-utf8": [["ιωάννα@shop.example", "failed", "5.1.1", 'unknown user: "ιωάννα"', true]],
  gmail: [[ann, "failed", "5.1.1", "550-5.1.1 The email account that you tried to reach does not", true]],
  "gmail-without-diagnostic": [[ann, "failed", "5.0.0", "** Address not found ** Your message wasn't delivered", true]],
  "exchange-online": [[ann, "failed", "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not", true]],
  ses: [[ann, "failed", "5.4.1", "550 5.4.1 Recipient address rejected: Access denied.", true]],
  "mixed-recipients": [
    [ann, "failed", "5.1.1", `550 5.1.1 <${ann}>... User unknown`, true],
    ["ben@shop.example", "delayed", "4.2.2", "452 4.2.2 Mailbox full", false],
    ["cyd@shop.example", "expanded", "2.1.5", "", false],
    [null, "failed", "5.2.2", "", false],
  ],
};

/** Bounces in prose: read at a return path only. */
const prose: Record<string, Row[]> = {
  "exim-prose": [
    [ann, "failed", "5.1.1", `SMTP error from remote mail server after RCPT TO:<${ann}>: host mail.shop`, true],
    ["ben@shop.example", "failed", null, "mailbox is full (quota exceeded)", false],
  ],
  "exim-delayed-prose": [[ann, "delayed", null, "host mail.shop.example [192.0.2.20] Delay reason: Conn", false]],
  qmail: [
    [ann, "failed", "5.1.1", "192.0.2.20 does not like recipient. Remote host said: 550 5.1.1", true],
    ["ben@shop.example", "failed", "5.1.1", "Sorry, no mailbox here by that name. (#5.1.1)", true],
  ],
  "yahoo-prose": [[ann, "failed", null, "554: delivery error: dd This user doesn't have a yahoo.com acc", true]],
  "gmx-prose": [[ann, "failed", "5.1.1", "SMTP error from remote server after RCPT command: host: mx.s", true]],
  "zoho-prose": [[ann, "failed", "5.1.1", "Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1", true]],
  "exchange-prose": [[ann, "failed", "5.1.10", "The email address you entered couldn't be found. Please check", true]],
  "exchange-2003-prose": [[ann, "failed", null, "on Thu, 14 May 2026 10:00:01 -0000 The recipient name is not", true]],
  "domino-prose": [[ann, "failed", null, `because: User ann (${ann}) not listed in Domino Directory`, true]],
};

function rowsOf(report: Report | null, expected: Row[]): Row[] {
  if (report?.kind !== "delivery") throw new Error(`read as ${report?.kind}`);
  return report.recipients.map((recipient, i) => [
    recipient.finalRecipient,
    recipient.action,
    recipient.status,
    recipient.diagnostic.slice(0, expected[i]?.[3].length),
    isHardBounce(recipient),
  ]);
}

for (const [eol, lines] of [
  ["CRLF", "\r\n"],
  ["LF", "\n"],
] as const)
  describe(`bounces with ${eol}`, () => {
    for (const [name, rows] of Object.entries({ ...notifications, ...prose }))
      for (const envelopeFrom of ["", "mailer-daemon@mx.shop.example"])
        test(`${name} from <${envelopeFrom}>`, async () => {
          const text = (await fixture(name)).replaceAll("\n", lines);
          expect(rowsOf(read(text, envelopeFrom, true), rows)).toEqual(rows);
          const elsewhere = read(text, envelopeFrom, false);
          if (name in prose) expect(elsewhere).toBeNull();
          else expect(rowsOf(elsewhere, rows)).toEqual(rows);
        });
  });

test.each(Object.keys({ ...notifications, ...prose }).filter((name) => !/domino|exim-delayed/.test(name)))(
  "%s names the message that it is about",
  async (name) => {
    expect(read(await fixture(name), "", true)).toMatchObject({ originalMessageId: order });
  },
);

test("each place that names the message is enough, the message itself first", async () => {
  const gmail = await fixture("gmail");
  const places = [
    ["message", "Message-ID: <order-1@"],
    ["status", "X-Original-Message-ID: <order-1@"],
    ["field", "In-Reply-To: <order-1@"],
  ] as const;
  /** The bounce with only these places, each of which names itself. */
  const named = (...kept: string[]) => {
    const lines = places.reduce(
      (text, [place, line]) =>
        text.replace(`\n${line}`, kept.includes(place) ? `\n${line.replace("order-1", place)}` : "\nX-Cut: <order-1@"),
      gmail,
    );
    return read(lines, "", true);
  };
  const about = (place: string) => ({ originalMessageId: `<${place}@agents.example>` });
  expect(named("message", "status", "field")).toMatchObject(about("message"));
  expect(named("status", "field")).toMatchObject(about("status"));
  expect(named("field")).toMatchObject(about("field"));
  expect(named()).toMatchObject({ originalMessageId: null });
});

test("the recipient before forwarding is told beside the final one", async () => {
  const forwarded = read(await fixture("postfix-failed"), "", false);
  expect(forwarded).toMatchObject({ recipients: [{ originalRecipient: "ann@alias.example" }] });
  const encoded = read(await fixture("postfix-utf8"), "", false);
  expect(encoded).toMatchObject({ recipients: [{ originalRecipient: "ιωάννα@xn--jxalpdlp.example" }] });
});

const others: Record<string, Report> = {
  "complaint-yahoo": {
    kind: "complaint",
    feedbackType: "abuse",
    recipients: [ann],
    originalMessageId: order,
    returnPath,
  },
  "complaint-outlook": {
    kind: "complaint",
    feedbackType: "abuse",
    recipients: [ann],
    originalMessageId: order,
    returnPath,
  },
  "complaint-outlook-old": {
    kind: "complaint",
    feedbackType: "abuse",
    recipients: [ann],
    originalMessageId: order,
    returnPath,
  },
  "complaint-not-spam": {
    kind: "complaint",
    feedbackType: "not-spam",
    recipients: [ann],
    originalMessageId: order,
    returnPath: null,
  },
  "dmarc-failure": { kind: "dmarc" },
  "dmarc-aggregate-zip": { kind: "dmarc" },
  "dmarc-aggregate-gzip": { kind: "dmarc" },
  tls: { kind: "tls" },
  "read-receipt": { kind: "disposition", disposition: "displayed", finalRecipient: ann, originalMessageId: order },
};
test.each(["\r\n\t", "\r\n ", "\r\n   "])("an aggregate report is recognised by its folded Subject", async (fold) => {
  const text = (await fixture("dmarc-aggregate-zip")).replaceAll("\n", "\r\n");
  const folded = text.replace(
    "Report domain: agents.example Submitter:",
    `Report domain:${fold}agents.example${fold}Submitter:`,
  );
  expect(folded).not.toBe(text);
  expect(read(folded, "reports@mail.example", false)).toEqual({ kind: "dmarc" });
});

for (const [name, report] of Object.entries(others))
  test(`${name}, from an ordinary reverse-path`, async () => {
    const text = await fixture(name);
    for (const toReturnPath of [false, true])
      expect(read(text.replaceAll("\n", "\r\n"), "reports@mail.example", toReturnPath)).toEqual(report);
  });

test("a complaint has its User-Agent or its Version, as RFC 5965 3.1 asks for both", async () => {
  const whole = await fixture("complaint-yahoo");
  const [withVersion, withAgent] = [/^User-Agent: .*\n/m, /^Version: .*\n/m].map((field) => whole.replace(field, ""));
  for (const text of [withVersion!, withAgent!]) expect(read(text, "", false)?.kind).toBe("complaint");
  expect(read(withVersion!.replace(/^Version: .*\n/m, ""), "", false)).toBeNull();
});

test("what is written for people is nobody's reason where there are several recipients", async () => {
  const one = await fixture("gmail-without-diagnostic");
  const group = "Final-Recipient: rfc822; ann@shop.example\nAction: failed\nStatus: 5.0.0\n";
  const report = read(one.replace(group, `${group}\n${group.replace("ann@", "ben@")}`), "", true);
  expect(report).toMatchObject({
    recipients: [
      { finalRecipient: ann, diagnostic: "" },
      { finalRecipient: "ben@shop.example", diagnostic: "" },
    ],
  });
});

describe("ordinary mail is none of these", () => {
  for (const name of ["vacation", "vacation-postmaster"])
    test(`${name}, wherever it comes to`, async () => {
      const text = await fixture(`ordinary-${name}`);
      for (const toReturnPath of [false, true])
        for (const envelopeFrom of ["", ann]) expect(read(text, envelopeFrom, toReturnPath)).toBeNull();
    });
  for (const name of ["forwarded-bounce", "quoted-bounce", "report-by-person", "forwarded-dmarc"])
    test(name, async () => {
      expect(read(await fixture(`ordinary-${name}`), ann, false)).toBeNull();
    });
  test("a bounce in prose that a person sends on to a return path", async () => {
    expect(read(await fixture("ordinary-quoted-bounce"), ann, true)).toBeNull();
  });
  test("two Content-Type fields", async () => {
    const text = `Content-Type: text/plain\n${await fixture("postfix-failed")}`;
    expect(read(text, "", true)).toBeNull();
  });
  test.each(["", "\n", "Subject: hi\n\nhello", "Content-Type: multipart/report\n\n--\n"])("%p", (text) => {
    expect(read(text, "", false)).toBeNull();
    expect(read(text, "", true)).toBeNull();
  });
});

test("a bounce that names nobody is one all the same", () => {
  const text =
    "From: postmaster@shop.example\nSubject: Undeliverable: hi\n\nYour message could not be delivered: 550 5.7.1 no\n";
  expect(read(text, "", true)).toEqual({
    kind: "delivery",
    recipients: [
      {
        finalRecipient: null,
        originalRecipient: null,
        action: "failed",
        status: "5.7.1",
        diagnostic: "Your message could not be delivered: 550 5.7.1 no",
      },
    ],
    originalMessageId: null,
  });
});

test("diagnostics are one short line without controls", async () => {
  const text = (await fixture("ses")).replace("550 5.4.1 Recipient", `550\x07\x1b[31m 5.4.1\t${"x".repeat(3000)}`);
  const report = read(text, "", true);
  expect(report).toMatchObject({ recipients: [{ diagnostic: `550[31m 5.4.1 ${"x".repeat(486)}` }] });
});

describe("hostile input", () => {
  const head = (boundary: string) =>
    `From: mailer-daemon@x.example\nSubject: failure notice\nContent-Type: multipart/report; report-type=delivery-status; boundary="${boundary}"\n\n`;
  const status = `${head("b")}--b\nContent-Type: message/delivery-status\n\n`;
  const plain = "From: mailer-daemon@x.example\nSubject: failure notice\n\nfollowing address failed\n";
  /** Makes a report in which a unit is repeated many times. */
  type Build = (much: (unit: string) => string) => string;
  const cases: Record<string, Build> = {
    "a boundary everywhere": (much) => head("b") + much("\n--b"),
    "almost a boundary everywhere": (much) => head("b") + much("\n--bx"),
    "a boundary of nothing but spaces": (much) => head("   ") + much("\n--   "),
    "multiparts in multiparts": (much) => head("b") + much('--b\nContent-Type: multipart/mixed; boundary="b"\n\n'),
    "groups without end": (much) => status + much("Final-Recipient: rfc822; a@b.example\nAction: failed\n\n"),
    "recipients without end in a group": (much) =>
      status + much("Final-Recipient: rfc822; a@b.example\nAction: failed\n"),
    "one folded field": (much) => `${status}Final-Recipient: rfc822;\n${much(" a\n")}`,
    "one long line": (much) => `${status}Diagnostic-Code: ${much("smtp;")}`,
    "a header without end": (much) => `Content-Type: multipart/report\n${much("X: y\n")}`,
    "parameters without end": (much) => `Content-Type: multipart/report${much("; a=b")}\n\n`,
    "a subject without end": (much) => `Subject: report domain: ${much("submitter ")}\n\n`,
    "encoded words": (much) => `Subject: ${much("=?utf-8?q?=41?=")}\n\n`,
    "a From without end": (much) => `From: ${much("postmaster (")}\n${plain}`,
    "prose of one line": (much) => plain + much("a@"),
    "prose of spaces": (much) => plain + much(" "),
    "prose of addresses": (much) => plain + much("<a@b.example>:\n"),
    "prose of dashes": (much) => plain + much("--- "),
    "html without end": (much) => `From: postmaster@x.example\nContent-Type: text/html\n\n${much("<div>")}`,
    "quoted-printable": (much) =>
      `From: postmaster@x.example\nContent-Transfer-Encoding: quoted-printable\n\n${much("=4")}`,
    zeros: (much) => much("\0"),
  };
  for (const [name, build] of Object.entries(cases))
    test(`${name}: the work grows as the report does`, async () => {
      const report = (size: number) => Buffer.from(build((unit) => unit.repeat(Math.ceil(size / unit.length))));
      const growth = await superlinear(4 * 1024 * 1024, report, (raw) => {
        readReport(raw, "", { toReturnPath: true });
        readReport(raw, "", { toReturnPath: false });
      });
      expect(growth).toBeNull();
    });

  test("nothing that is cut off or has a wrong byte makes it throw", async () => {
    for (const name of [...Object.keys({ ...notifications, ...prose, ...others })]) {
      const raw = Buffer.from(await fixture(name));
      for (let i = 0; i < raw.length; i += 13) {
        readReport(raw.subarray(0, i), "", { toReturnPath: true });
        const wrong = Buffer.from(raw);
        wrong[i] = (i * 7) % 256;
        readReport(wrong, "", { toReturnPath: i % 2 === 0 });
      }
    }
  });
});
