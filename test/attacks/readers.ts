/** All readers of untrusted input, as functions of that input. */

import { showReview } from "../../src/approval/review.ts";
import { plainLines, toJson } from "../../src/cli/terminal/output.ts";
import { automationOf } from "../../src/message/automation.ts";
import { safeHtml } from "../../src/message/html/safe.ts";
import { saysTheSame } from "../../src/message/html/same-words.ts";
import { linksOf, misnamedHost } from "../../src/message/html/shown-links.ts";
import { seenText, shownText, styledText } from "../../src/message/html/text.ts";
import { readMail } from "../../src/message/read.ts";
import { isHardBounce } from "../../src/message/report/hard-bounce.ts";
import { readReport } from "../../src/message/report/report.ts";
import { replyText } from "../../src/message/text/reply.ts";
import { visibleText } from "../../src/message/text/visible.ts";
import { withTrace } from "../../src/message/trace.ts";
import { heldOf } from "../support/held-review.ts";
import { headerBytesMax } from "./hostile-mails.ts";

type Reader<Input> = (input: Input) => unknown;

const limits = { maxParts: 1_000, maxDepth: 50, maxHeaderBytes: headerBytesMax };
const picture = `data:image/png;base64,${"A".repeat(100_000)}`;

function held(text: string, html: string | null) {
  const person = { address: "ann@example.com", name: text.slice(0, 10_000) };
  const time = new Date(0);
  return {
    ...{ messageId: "msg_1", agent: person, from: person, to: [person], cc: [], bcc: [], replyTo: [], firstTime: [] },
    ...{ subject: text.slice(0, 10_000), text, html, attachments: [], contentHash: "" },
    ...{ hold: { rule: "all", reason: "all" }, createdAt: time, expiresAt: time, onExpiry: "reject" as const },
    ...{ approveUrl: "", rejectUrl: "", reviewUrl: null, held: heldOf(text, html) },
  };
}

export const htmlReaders: Record<string, Reader<string>> = {
  "text that its reader sees": seenText,
  "text that any program shows": shownText,
  "words of style sheets": styledText,
  "harmless HTML": (html) => safeHtml(html, { images: false, inline: (id) => (id === "picture@x" ? picture : null) }),
  "harmless HTML with pictures": (html) => safeHtml(html, { images: true, inline: () => null }),
  "the same as a text": (html) => saysTheSame("words", html),
  review: (html) => showReview(held("", html)),
};

export const textReaders: Record<string, Reader<string>> = {
  "new part": replyText,
  links: (text) => linksOf(text, null).map(misnamedHost),
  review: (text) => showReview(held(text, null), { bodyBytes: 200 * 1024, links: 200 }),
  "the same as HTML": (text) => saysTheSame(text, "<p>words"),
  "visible text": visibleText,
  "terminal, lines": plainLines,
  "terminal, JSON": (text) => toJson({ text }, true),
  "hard bounce": (text) => isHardBounce({ status: "5.0.0", diagnostic: text }),
};

export const mailReaders: Record<string, Reader<Uint8Array>> = {
  mail: async (raw) => {
    const { headers } = await readMail(raw, limits);
    automationOf(headers, "");
  },
  report: (raw) => readReport(raw, "", { toReturnPath: true }),
  trace: (raw) =>
    withTrace(raw, {
      envelope: {
        ...{ remoteAddress: "127.0.0.1", helo: "x.example", mailFrom: "", rcptTo: ["bot@example.com"] },
        ...{ receivedAt: new Date(0), protocol: "ESMTP", tls: null },
      } as never,
      ...{ hostname: "mx.example", id: "x", verdict: { authenticationResults: "mx.example; none" } },
    }),
};
