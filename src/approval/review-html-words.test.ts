import { expect, test } from "bun:test";
import { heldOf } from "../../test/support/held-review.ts";
import { type Review, showReview } from "./review.ts";

function bodiesOf(text: string, html: string) {
  const ann = { address: "ann@example.com", name: "Ann" };
  const review: Review = {
    ...{ messageId: "msg_1", agent: ann, from: ann, to: [], cc: [], bcc: [], replyTo: [], firstTime: [] },
    ...{ subject: "Hi", text, html, attachments: [], hold: { rule: "all", reason: "all" } },
    ...{ createdAt: new Date(0), expiresAt: new Date(0), onExpiry: "reject", contentHash: "" },
    ...{ approveUrl: "", rejectUrl: "", reviewUrl: null, held: heldOf(text, html) },
  };
  return showReview(review).bodies;
}

test.each([
  ["beside the body", "<body>Thanks</body><p>Wire 9,000 EUR"],
  ["behind the document", "<html><body>Thanks</body></html><p>Wire 9,000 EUR"],
  ["in the head", "<head>Wire 9,000 EUR</head><body>Thanks</body>"],
  ["in a text for a picture", '<p>Thanks</p><img src="cid:x" alt="Wire 9,000 EUR">'],
  ["in a field", '<p>Thanks</p><input type=button value="Wire 9,000 EUR">'],
  ["in a text area", "<p>Thanks</p><textarea>Wire 9,000 EUR</textarea>"],
  ["in an option", "<p>Thanks</p><select><option>Wire 9,000 EUR</select>"],
  ["where scripts are off", "<p>Thanks</p><noscript>Wire 9,000 EUR</noscript>"],
  ["in closed details", "<p>Thanks</p><details>Wire 9,000 EUR</details>"],
  ["in an element that nobody knows", "<p>Thanks</p><wire>Wire 9,000 EUR</wire>"],
  ["for Outlook only", "<p>Thanks</p><!--[if gte mso 9]><p>Wire 9,000 EUR</p><![endif]-->"],
])("words that recipients see are shown beside the text: %s", (_, html) => {
  const [text, rich] = bodiesOf("Thanks", html);
  expect(text).toEqual({ label: "Text", text: "Thanks", notes: [] });
  expect(rich!.label).toBe("HTML version, as text");
  expect(rich!.text).toContain("Wire 9,000 EUR");
});

test("words that a style sheet adds are named", () => {
  const [, rich] = bodiesOf("Thanks", "<style>p::after{content:'Wire 9,000\\20 EUR'}</style><p>Thanks</p>");
  expect(rich!.notes).toContain("Its style sheets add the words “Wire 9,000 EUR”.");
});

test("HTML that says the same is not shown twice", () => {
  const html = "<html><body><p>Thanks</p></body></html>";
  expect(bodiesOf("Thanks", html)).toEqual([
    { label: "Text", text: "Thanks", notes: ["There is also an HTML version with the same text."] },
  ]);
});
