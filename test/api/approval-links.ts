/** The links in mail to reviewers: what they show when opened, and what their button does. */
import { describe, expect, test } from "bun:test";
import type { ApiClient } from "./client.ts";
import type { ApiWorld } from "./world.ts";

const POLL_MS = 20;
const PATIENCE_MS = 4_000;

interface Link {
  path: string;
  token: string;
}

/** A held message whose reviewer has received the mail about it. */
interface Told {
  /** A new account: its reviewers get a separate mail for each of up to five holds in a minute. */
  mine: ApiClient;
  agent: string;
  id: string;
  noticeId: string;
  approve: Link;
  reject: Link;
  /** Fetches the message. */
  shown(): Promise<Record<string, unknown>>;
}

export function approvalLinkCases(it: ApiWorld): void {
  /** `reviewer`: an additional reviewer, whose mail is used then. */
  async function told(more: object = {}, reviewer: string | null = null): Promise<Told> {
    const mine = it.api.as(await it.server.newAccount());
    const agent = await it.newAgent(mine);
    await mine.patch(`/api/v1/agents/${agent}`, {
      hitl_enabled: true,
      hitl_reviewers: reviewer === null ? [] : [reviewer],
    });
    const to = ["ann@outside.example"];
    const { body } = await mine.post("/api/v1/send", { from: agent, to, subject: "<b>Hi", body: "Good day.", ...more });
    const notice = await noticeOf(mine, reviewer);
    const linkTo = (action: string): Link => {
      const [, path = "", token = ""] = new RegExp(`(/api/v1/${action})\\?t=([\\w-]+)`).exec(notice.body_text) ?? [];
      return { path, token };
    };
    return {
      ...{
        mine,
        agent,
        id: body.message_id,
        noticeId: notice.id,
        approve: linkTo("approve"),
        reject: linkTo("reject"),
      },
      shown: async () => (await mine.get(`/api/v1/messages/${body.message_id}`)).body,
    };
  }

  /** Waits for the mail to the reviewer. */
  async function noticeOf(mine: ApiClient, reviewer: string | null): Promise<{ id: string; body_text: string }> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await Bun.sleep(POLL_MS)) {
      const { messages } = (await mine.get("/api/v1/messages?type=notice")).body;
      const notice = messages.find(({ to }: { to: string[] }) => reviewer === null || to.includes(reviewer));
      if (notice) return (await mine.get(`/api/v1/messages/${notice.id}`)).body;
    }
    throw new Error("no mail to the reviewer");
  }

  const open = ({ path, token }: Link, method = "GET", name = "t") =>
    it.api.call(method, `${path}?${name}=${token}`, { key: null });
  const press = (path: string, form: Record<string, string>) =>
    it.api.call("POST", path, {
      key: null,
      body: new URLSearchParams(form).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
  const title = (page: string) => /<h1>(.*?)<\/h1>/.exec(page)?.[1];

  describe("a link of reviewer mail", () => {
    test("shows what is attached, as text and to download, as long as it is valid", async () => {
      const evil = "<script>alert(1)</script>\u202e";
      const files = [
        { filename: "plan.html", content_type: "text/html", data: Buffer.from(`The plan: ${evil}`).toString("base64") },
        { filename: "logo.png", content_type: "image/png", data: btoa("\x89PNG\r\n\x1a\n\x00\x01") },
      ];
      const { approve, reject, mine, id, noticeId, shown } = await told({ attachments: files });
      const before = await shown();
      const { body: notice } = await mine.get(`/api/v1/messages/${noticeId}`);
      for (const { filename } of files) expect(notice.body_text).toContain(filename);
      for (const { path, token } of [approve, reject]) {
        const { body: page } = await open({ path, token });
        expect(page).toContain("The plan: &lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩");
        expect(page).toContain("The file is not text");
        const hrefs = [...page.matchAll(/href="([^"#]*attachments[^"]*)"/g)].map(([, href]) => href as string);
        expect(hrefs).toHaveLength(2);
        for (const [i, href] of hrefs.entries()) {
          const at = new URL(href, `http://a.example${path}`);
          for (const method of ["HEAD", "GET"]) {
            const answer = await fetch(`${it.server.url}${at.pathname}${at.search}`, { method });
            expect(answer.status).toBe(200);
            expect(answer.headers.get("content-disposition")).toStartWith(
              `attachment; filename="${files[i]?.filename}"`,
            );
            expect(answer.headers.get("content-security-policy")).toStartWith("sandbox; default-src 'none'");
            expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
            expect(answer.headers.get("cache-control")).toContain("no-store");
            const bytes = Buffer.from(await answer.arrayBuffer()).toString("base64");
            if (method === "GET") expect(bytes).toBe(files[i]?.data ?? "");
          }
        }
      }
      const file = (token: string, index: string | number, action = "approve") =>
        it.api.call("GET", `/api/v1/${action}/attachments/${index}?t=${token}`, { key: null });
      expect((await file(approve.token, 2)).status).toBe(404);
      expect((await file(approve.token, "constructor")).status).toBe(404);
      expect((await file(reject.token, 0)).status).toBe(400);
      expect((await file(`${approve.token.slice(0, -4)}AAAA`, 0)).status).toBe(400);
      expect(await shown()).toEqual(before);
      expect((await mine.post(`/api/v1/messages/${id}/approve`)).body.status).toBe("sent");
      expect((await file(approve.token, 0)).status).toBe(409);
    });

    test("only shows what would leave, to whoever follows it and however often", async () => {
      const { approve, reject, shown } = await told();
      const before = await shown();
      for (const link of [approve, reject]) {
        expect((await open(link, "HEAD")).body).toBeNull();
        for (const name of ["t", "token", "t"]) {
          const { status, headers, body } = await open(link, "GET", name);
          expect(status).toBe(200);
          expect(body).toContain("&lt;b&gt;Hi");
          expect(body).toContain("ann@outside.example");
          expect(body).not.toMatch(/<script|<b>Hi/);
          expect(Object.fromEntries(headers)).toMatchObject({
            ...{ "cache-control": "no-store", "x-frame-options": "DENY", "referrer-policy": "no-referrer" },
            ...{ "x-robots-tag": expect.stringContaining("noindex"), "x-content-type-options": "nosniff" },
            "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
          });
        }
      }
      expect(await shown()).toEqual(before);
    });

    test("approves when its button is pressed, once", async () => {
      const { mine, approve, reject, id, shown } = await told();
      const { content_hash: hash } = await shown();
      const first = await press(approve.path, { t: approve.token });
      expect({ status: first.status, title: title(first.body) }).toEqual({ status: 200, title: "Approved" });
      const again = await press(approve.path, { t: approve.token });
      expect({ status: again.status, title: title(again.body) }).toEqual({ status: 409, title: "Already approved" });
      expect(again.body).toContain("by a link from the email");
      expect((await press(reject.path, { t: reject.token })).status).toBe(409);
      expect((await open(approve)).status).toBe(409);
      const { reviewed_by: by } = await shown();
      expect(by).toEndWith("@owner.example");
      const { entries } = (await mine.get("/api/v1/audit")).body;
      expect(entries).toMatchObject([
        { action: "approve", how: "link", by, ip: expect.any(String), message_id: id, content_hash: hash },
      ]);
      expect((await mine.post(`/api/v1/messages/${id}/reject`)).body.detail).toMatch(/approved it at .*, by link\.$/);
    });

    test("works again once its approval is taken back, and not for a message that an edit changed", async () => {
      const { mine, agent, approve, reject, id, shown } = await told();
      await mine.patch(`/api/v1/agents/${agent}`, { undo_seconds: 120 });
      await press(approve.path, { t: approve.token });
      expect((await mine.post(`/api/v1/messages/${id}/undo`)).status).toBe(200);
      expect((await open(approve)).status).toBe(200);
      const second = await press(approve.path, { t: approve.token });
      expect({ status: second.status, title: title(second.body) }).toEqual({ status: 200, title: "Approved" });
      await mine.post(`/api/v1/messages/${id}/undo`);

      const later = { headers: { prefer: "respond-async" } };
      await mine.post(`/api/v1/messages/${id}/approve`, { body_text: "Good night." }, later);
      await mine.post(`/api/v1/messages/${id}/undo`);
      for (const link of [approve, reject]) expect((await press(link.path, { t: link.token })).status).toBe(409);
      expect(await shown()).toMatchObject({ status: "pending_approval", body_text: "Good night." });
    });

    test("rejects with the reason in the form", async () => {
      const { reject, shown } = await told();
      for (const reason of ["x".repeat(1001), "a\0b"]) {
        const refused = await press(reject.path, { t: reject.token, reason });
        expect({ status: refused.status, title: title(refused.body) }).toEqual({
          status: 400,
          title: "Nothing was decided",
        });
      }
      const { status, body } = await press(reject.path, { t: reject.token, reason: " The price\r\nis <b>wrong.\r\n" });
      expect({ status, title: title(body) }).toEqual({ status: 200, title: "Rejected" });
      expect(body).toContain("is &lt;b&gt;wrong.");
      expect(await shown()).toMatchObject({ status: "rejected", rejection_reason: "The price\nis <b>wrong." });
    });

    test("that is damaged, of another action, or somebody's invention is a page that says so", async () => {
      const { approve, reject, shown } = await told();
      const before = await shown();
      const changed = approve.token.replace(/^./, (first) => (first === "A" ? "B" : "A"));
      for (const token of ["", "x", changed, approve.token.slice(0, -1), reject.token, "A".repeat(5000)]) {
        const answers = [await open({ ...approve, token }), await press(approve.path, { t: token })];
        for (const { status, headers, body } of answers) {
          expect({ status, title: title(body) }).toEqual({ status: 400, title: "This link does not work" });
          expect(headers.get("content-type")).toStartWith("text/html");
        }
      }
      expect((await press(approve.path, { t: "x".repeat(70_000) })).headers.get("content-type")).toStartWith(
        "text/html",
      );
      expect(await shown()).toEqual(before);
    });

    test("decides when it is POSTed itself, as programs do that read no form", async () => {
      const { approve, reject, shown } = await told();
      expect((await open({ ...approve, token: reject.token }, "POST")).status).toBe(400);
      const { status, body } = await open(reject, "POST", "token");
      expect({ status, title: title(body) }).toEqual({ status: 200, title: "Rejected" });
      expect(await shown()).toMatchObject({ status: "rejected", rejection_reason: "" });
      expect((await open(approve, "POST")).status).toBe(409);
    });

    test("decides nothing for who reviews no more", async () => {
      const reviewer = "bob@review.example";
      const { mine, agent, approve, shown } = await told({}, reviewer);
      expect((await open(approve)).status).toBe(200);
      await mine.patch(`/api/v1/agents/${agent}`, { hitl_reviewers: [] });
      for (const { status, body } of [await open(approve), await press(approve.path, { t: approve.token })])
        expect({ status, title: title(body) }).toEqual({ status: 410, title: "You no longer review this mail" });
      expect((await shown()).status).toBe("pending_approval");
      await mine.patch(`/api/v1/agents/${agent}`, { hitl_reviewers: [reviewer] });
      expect((await press(approve.path, { t: approve.token })).status).toBe(200);
      expect((await shown()).reviewed_by).toBe(reviewer);
    });

    test("leads nowhere when the message is gone with its agent", async () => {
      const { mine, agent, approve } = await told();
      await mine.delete(`/api/v1/agents/${agent}`);
      for (const { status } of [await open(approve), await press(approve.path, { t: approve.token })])
        expect(status).toBe(404);
    });

    test("is decided by one of many presses and calls at once", async () => {
      const reader = await it.newAgent();
      const { mine, id, approve, reject } = await told({ to: [reader] });
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, n) => {
          if (n % 3 === 0) return press(approve.path, { t: approve.token });
          if (n % 3 === 1) return press(reject.path, { t: reject.token });
          return mine.post(`/api/v1/messages/${id}/approve`);
        }),
      );
      expect(answers.filter(({ status }) => status === 409)).toHaveLength(29);
      expect((await mine.get("/api/v1/audit")).body.entries).toHaveLength(1);
    });

    test("is in nothing that the agent can read", async () => {
      const { mine, agent, id, noticeId, approve, reject } = await told();
      const { body } = await mine.post("/api/v1/keys", { name: "one agent", scope: "agent", agent });
      const own = mine.as(body.key);
      expect((await own.get("/api/v1/messages?type=notice")).status).toBe(403);
      const path = `/api/v1/agents/${agent}`;
      for (const one of [`/api/v1/messages/${noticeId}`, `/api/v1/messages/${noticeId}/raw`])
        expect((await own.get(one)).status).toBe(404);
      expect((await own.post(`/api/v1/messages/${noticeId}/cancel`)).status).toBe(404);
      expect((await own.post(`${path}/messages/${noticeId}/forward`, { to: [agent] })).status).toBe(404);
      expect((await own.post(`${path}/messages/${noticeId}/reply`, { body: "x" })).status).toBe(404);
      const lists = [
        ...["/api/v1/messages", `${path}/messages?direction=outbound`, `${path}/messages?status=all`],
        ...[`${path}/messages?status=all&q=approve`, `${path}/conversations`, `/api/v1/messages/${id}`],
      ];
      for (const list of lists) {
        const { status, body } = await own.get(list);
        const text = JSON.stringify(body);
        expect({ list, status }).toEqual({ list, status: 200 });
        for (const secret of [noticeId, approve.token, reject.token]) expect(text).not.toContain(secret);
      }
    });
  });
}
