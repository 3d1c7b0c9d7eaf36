import { describe, expect, test } from "bun:test";
import { startTestApp } from "../../test/support/app.ts";
import { readAttachments } from "../message/read.ts";
import { createReviews, heldReview } from "./reviews.ts";

const agent = "bot@e2a.localhost";
const file = { filename: "plan.csv", content_type: "text/csv", data: btoa("day,plan\nMonday,go\n") };
const mail = { to: ["ann@outside.example"], subject: "Hello", body: "See https://a.example/", attachments: [file] };

describe.each(["sqlite", "postgres"] as const)("what reviewers are shown, on %s,", (database) => {
  test("is made when a message is held, and once more when it is changed; lists only read it", async () => {
    await using it = await startTestApp({ database });
    const { store } = it.app;
    let made = 0;
    const reviews = createReviews({
      store,
      attachments: (_, raw) => readAttachments(raw, it.app.config.inbound),
      derive: (_, ...input) => {
        made++;
        return heldReview(...input);
      },
    });
    await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_enabled: true, hitl_notify_email: false });
    const { message_id: id } = (await it.api("POST", "/api/v1/send", mail)).body;
    const stored = async () => {
      const found = await store.getOutbound(it.userId, id);
      if (!found) throw new Error("the message is gone");
      return found;
    };
    const held = await stored();
    expect(held.message.review).toMatchObject({
      contentHash: held.message.contentHash,
      links: [{ host: "a.example" }],
      attachmentTexts: [{ index: 0, text: "day,plan\nMonday,go\n", moreChars: 0 }],
    });
    const review = held.message.review!;
    expect(await reviews.of(held)).toEqual(review);
    expect(made).toBe(0);

    // Mark it, so that every view shows what is kept.
    await store.storeReview(id, {
      ...review,
      notes: ["kept"],
      unsearched: [{ name: "kept", why: "binary" }],
      links: [{ text: "kept", host: "kept.example", url: "https://kept.example/" }],
    });
    for (const path of ["/api/v1/messages?status=pending_approval", `/api/v1/messages/${id}`]) {
      const { body } = await it.api("GET", path);
      expect(body.messages?.[0] ?? body).toMatchObject({
        ...{ links: [{ host: "kept.example" }], review_notes: ["kept"], unsearched: [{ name: "kept", why: "binary" }] },
      });
    }
    // A review of other content does not replace what is kept.
    await store.storeReview(id, { ...review, contentHash: "another" });
    expect((await stored()).message.review?.links[0]?.host).toBe("kept.example");

    // A row from an earlier version, or from the loop breaker: the first reader derives its review.
    const bare = { ...held, message: { ...held.message, review: null } };
    expect(await reviews.of(bare)).toEqual(review);
    expect(made).toBe(1);
    expect((await stored()).message.review).toEqual(review);

    await it.api("POST", `/api/v1/messages/${id}/approve`, { body_text: "See https://b.example/" });
    const { message } = await stored();
    expect(message.review).toMatchObject({ contentHash: message.contentHash, links: [{ host: "b.example" }] });
  });
});

test("reviewers are told of every part that the gate could not search", async () => {
  await using it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const gate = { hitl_enabled: true, hitl_notify_email: false, hitl_rules: { unsearched: true } };
  await it.api("PATCH", `/api/v1/agents/${agent}`, gate);
  const zip = Buffer.from("504b03040001fffe80", "hex").toString("base64");
  const attached = (filename: string, content_type: string, content: string) => ({
    ...{ filename, content_type, data: Buffer.from(content).toString("base64") },
  });
  const attachments = [
    attached("a.html", "text/html", `<a href="data:application/zip;base64,${zip}">a</a>`),
    attached("b.html", "text/html", "<svg><desc><![CDATA[<p>]]></desc></svg>"),
    attached("c.txt", "text/plain", "-----BEGIN PGP MESSAGE-----\nx"),
  ];
  const { message_id: id } = (await it.api("POST", "/api/v1/send", { ...mail, attachments })).body;
  const { hold, unsearched } = (await it.api("GET", `/api/v1/messages/${id}`)).body;
  const named = [
    { name: "a file inside the attachment “a.html”", why: "binary" },
    { name: "the attachment “b.html”", why: "unreadable" },
    { name: "the attachment “c.txt”", why: "encrypted" },
  ];
  for (const { name } of named) expect(hold.reason).toContain(name);
  expect(unsearched).toEqual(named);
});

test("of a huge message it is bounded", async () => {
  const people = { to: [], cc: [], bcc: [], replyTo: [], inReplyTo: null, references: [], headers: [] };
  const content = Buffer.from("x".repeat(1_000_000));
  const review = await heldReview(
    {
      ...{ ...people, subject: "Hello" },
      text: Array.from({ length: 3_000 }, (_, i) => `https://h${i}.example/${"y".repeat(3_000)}`).join("\n"),
      html: "<p>z</p>".repeat(100_000),
      attachments: Array.from({ length: 100 }, (_, i) => ({
        filename: `${i}.txt`,
        contentType: "text/plain",
        content,
      })),
    },
    "hash",
  );
  expect(review.links).toHaveLength(1_000);
  expect(review.moreLinks).toBeGreaterThanOrEqual(2_000);
  expect(JSON.stringify(review).length).toBeLessThan(3 * 1024 * 1024);
  expect(review.attachmentTexts.reduce((sum, { text }) => sum + text.length, 0)).toBe(256 * 1024);
});
