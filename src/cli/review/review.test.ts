import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { heldMail } from "../testing/answers.ts";
import { type Running, Shell } from "../testing/shell.ts";
import { bot, startWorld, type World } from "../testing/world.ts";

let shell: Shell;
let world: World;
beforeEach(async () => {
  shell = await Shell.open();
  world = await startWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await shell.close();
});

const enter = "\r";
const start = (env: Record<string, string> = {}, line: string[] = []) =>
  shell.start(["pending", ...line], { env: { ...world.env, ...env }, terminal: true, columns: 100 });
const decisions = () =>
  world.proxy.requests
    .filter(({ method }) => method === "POST")
    .map(({ path, body }) => [path.split("/").at(-1), body]);
const mail = (id: string) => world.api("GET", `/messages/${id}`);

/** Writes mails that wait for approval; returns their ids in order of expiry. */
async function hold(count: number, more: object = {}): Promise<string[]> {
  await world.api("PATCH", `/agents/${bot}`, { hitl_enabled: true });
  const ids: string[] = [];
  for (let n = 1; n <= count; n++) {
    const one = { from: bot, to: ["bob@example.com"], subject: `Report ${n}`, body: `Text ${n}`, ...more };
    ids.push((await world.api("POST", "/send", one)).message_id);
  }
  return ids;
}

/**
 * Types `keys` when `question` is shown. It is printed again with its answer, so its second time is the third print.
 */
async function answer(running: Running, question: string, keys: string, times = 1): Promise<void> {
  await running.printed(question, times);
  running.stdin.write(keys);
}

/** Makes an editor that runs `first` on the file "$1", and `then` from its second start on. */
async function editor(first: string, then = "true"): Promise<Record<string, string>> {
  const path = join(shell.home, "editor");
  const script = `#!/bin/sh\nif [ -e "${path}.ran" ]; then ${then}; else touch "${path}.ran"; ${first}; fi\n`;
  await writeFile(path, script);
  await chmod(path, 0o700);
  return { EDITOR: path, PATH: "/usr/bin:/bin" };
}

test("ten held mails are cleared with the keyboard, first what expires first", async () => {
  const ids = await hold(10);
  const hashes = await Promise.all(ids.map(async (id) => (await mail(id)).content_hash));
  const running = start();
  for (let n = 1; n <= 10; n++) {
    await answer(running, `Mail ${n} of 10: what now?`, n === 3 ? "r" : n === 7 ? "s" : "a");
    if (n === 3) await answer(running, "Why?", `Wrong price.${enter}`);
  }
  const { code, out } = await running.done;
  expect(code).toBe(0);
  expect(out).toContain("✓ Approved. Kept for bob@example.com, not sent: this server has no upstream yet.");
  expect(out).toContain("✓ Rejected: Wrong price.");
  expect(out).toEndWith("10 held: 8 approved, 1 rejected, 1 skipped. 1 still waits: e2a pending\n");
  const shown = hashes.map((content_hash) => ({ content_hash }));
  expect(decisions()).toEqual([
    ...[0, 1].map((n) => ["approve", shown[n]]),
    ["reject", { reason: "Wrong price.", ...shown[2] }],
    ...[3, 4, 5, 7, 8, 9].map((n) => ["approve", shown[n]]),
  ] as never);
});

test("keys from before the question, and Enter, approve nothing", async () => {
  await hold(2);
  const running = start();
  await running.printed("1 of 2 ──");
  running.stdin.write("aaaa");
  await answer(running, "Mail 1 of 2: what now?", enter);
  await answer(running, "Mail 2 of 2: what now?", "\x03");
  const { code, out } = await running.done;
  expect([code, decisions()]).toEqual([0, []]);
  expect(out).toEndWith("2 held: 1 skipped, 1 not looked at. 2 still wait: e2a pending\n");
});

test("a mail is shown with everything that would leave, and cannot command the terminal", async () => {
  const shown = heldMail(1, {
    subject: "Pay \x1b]0;owned\x07now\u202e",
    cc: ["alice@example.com"],
    body_text: Array.from({ length: 40 }, (_, n) => `Line ${n + 1}\x1b[2J`).join("\r\n"),
    body_html: "<p>Something <b>else</b></p>",
    hold: { rule: "new_links", reason: "It links to evil\x07.example." },
    links: [
      { text: "https://bank.com/login", host: "evil.example", url: "https://evil.example/a" },
      { text: "the\x1b[1m page", host: "docs.example.com", url: "https://docs.example.com/p" },
    ],
    attachments: [{ index: 0, filename: "re\u202eport.pdf", content_type: "application/pdf", size: 12_345 }],
  });
  world.shows("/messages", { messages: [shown] });
  world.shows(`/messages/${shown.id}`, shown);
  const running = start();
  await answer(running, "View all of it", "v");
  await running.printed("Line 40");
  running.stdin.write("\x03");
  const out = (await running.done).out.split("\x1b[?25l")[0] ?? "";
  expect(out).toContain("Why held:  It links to evil.example.\nExpires:   in 7d (");
  expect(out).toContain(
    "\nTo:        bob@example.com (first time!)\nCc:        alice@example.com\nSubject:   Pay ⟨U+001B⟩]0;owned⟨U+0007⟩now⟨U+202E⟩\n",
  );
  expect(out).toContain("\nLine 10⟨U+001B⟩[2J\n… 30 more lines: press v to see all of it\n");
  expect(out).toContain("HTML, which most readers show instead of the text:\nSomething else\n");
  expect(out).toMatch(/\nevil.example +https:\/\/bank.com\/login {2}← another host! +https:\/\/evil.example\/a\n/);
  expect(out).toMatch(/\ndocs.example.com +the⟨U\+001B⟩\[1m page +https:\/\/docs.example.com\/p\n/);
  expect(out).toContain("\n[0] re⟨U+202E⟩port.pdf (application/pdf, 12.3 KB)\n");
  expect(out).not.toMatch(/[\x07\x1b\u202e]/);
});

describe("editing", () => {
  const change = 'sed -i "s/^Text 1/Better text/; s/^To: .*/To: carol@example.net/" "$1"';

  test("the changes are shown, and exactly they are sent", async () => {
    const [id = ""] = await hold(1);
    const { content_hash: hash } = await mail(id);
    const running = start(await editor(change));
    await answer(running, "Mail 1 of 1: what now?", "e");
    await answer(running, "Approve it with these changes?", "a");
    const { out } = await running.done;
    expect(out).toContain("-To: bob@example.com\n+To: carol@example.net\n");
    expect(out).toContain("-Text 1\n+Better text\n");
    expect(out).toContain("✓ Approved, with another to, text. Kept for carol@example.net");
    expect(out).toEndWith("1 held: 1 approved with changes.\n");
    const edit = { to: ["carol@example.net"], body_text: "Better text", content_hash: hash };
    expect(decisions()).toEqual([["approve", edit]] as never);
  });

  test("nobody else can read the file, and it is gone afterwards", async () => {
    await hold(1);
    const seen = join(shell.home, "seen");
    const running = start(await editor(`echo "$1" >${seen}; stat -c %a "$1" "$(dirname "$1")" >>${seen}; exit 1`));
    await answer(running, "Mail 1 of 1: what now?", "e");
    await answer(running, "Mail 1 of 1: what now?", "q", 3);
    await running.done;
    const [path = "", ...modes] = (await readFile(seen, "utf8")).trim().split("\n");
    expect(modes).toEqual(["600", "700"]);
    expect(await stat(path).catch(({ code }) => code)).toBe("ENOENT");
  });

  const htmlAnswers: [keys: string, html: string][] = [
    [enter, "<p>Better text</p>"],
    ["n", ""],
  ];
  for (const [keys, html] of htmlAnswers) {
    test(`HTML ${html === "" ? "is dropped when asked" : "is made again from the text"}`, async () => {
      const [id = ""] = await hold(1, { html_body: "<p>Text 1</p>" });
      const running = start(await editor(change));
      await answer(running, "Mail 1 of 1: what now?", "e");
      await answer(running, "Regenerate it from the text", keys);
      await answer(running, "Approve it with these changes?", "a");
      await running.done;
      expect(decisions()[0]?.[1]).toMatchObject({ body_text: "Better text" });
      expect((await mail(id)).body_html ?? "").toBe(html);
    });
  }

  test("what is wrong stands in the file when the editor opens again, the server's words too", async () => {
    const [id = ""] = await hold(1);
    const copy = `cp "$1" ${join(shell.home, "seen")}`;
    const first = 'sed -i "s/^To: .*/To: carol@x..example/" "$1"';
    const running = start(await editor(first, `${copy}; sed -i "s/^To: .*/To: carol@example.net/" "$1"`));
    await answer(running, "Mail 1 of 1: what now?", "e");
    await answer(running, "Approve it with these changes?", "a");
    await running.printed("✗ to.0: ");
    await answer(running, "The mail cannot be sent like this.", "e");
    await answer(running, "Approve it with these changes?", "a", 3);
    expect((await running.done).out).toContain("✓ Approved, with another to.");
    const seen = await Bun.file(join(shell.home, "seen")).text();
    expect(seen).toMatch(/^# to\.0: .*\nTo: carol@x..example\nCc:\n/);
    expect((await mail(id)).to).toEqual(["carol@example.net"]);
  });

  test("an unchanged file asks, an empty one and a failed editor decide nothing", async () => {
    for (const script of ["true", ': > "$1"', "exit 1"]) {
      await hold(1);
      const running = start({ ...(await editor(script, script)) });
      await answer(running, "Mail 1 of 1: what now?", "e");
      if (script === "true") await answer(running, "Nothing was changed. Approve it as is?", enter);
      await answer(running, "Mail 1 of 1: what now?", "q", 3);
      expect((await running.done).out).toContain("1 not looked at");
      expect(decisions()).toEqual([]);
    }
  });
});

describe("refusals", () => {
  test("a mail that somebody else decided is said, and the next one comes", async () => {
    const [one, two, three = ""] = await hold(3);
    const running = start();
    await running.printed("Mail 1 of 3: what now?");
    await world.api("POST", `/messages/${one}/reject`, {});
    await world.api("POST", `/messages/${two}/cancel`);
    running.stdin.write("a");
    await running.printed("! owner@example.net rejected it at ");
    await running.printed("! Report 2: cancelled meanwhile.");
    await running.printed("Mail 3 of 3: what now?");
    const before = await mail(three);
    world.proxy.instead = ({ method }) => {
      world.proxy.instead = () => null;
      const detail = "content_hash does not match: the message has changed.";
      return method === "POST"
        ? Response.json({ detail, code: "conflict", fix: "Look at it again." }, { status: 409 })
        : null;
    };
    running.stdin.write("a");
    // The changed mail is shown in its current state, and then decided.
    await running.printed("! content_hash does not match: the message has changed. Look at it again.");
    await running.printed("Mail 3 of 3: what now?", 3);
    expect([before.status, (await mail(three)).status]).toEqual(["pending_approval", "pending_approval"]);
    running.stdin.write("a");
    const { code, out } = await running.done;
    expect(code).toBe(0);
    expect(out).toEndWith("3 held: 1 approved, 2 decided or changed elsewhere.\n");
  });

  test("an agent's key ends it with 4", async () => {
    await hold(2);
    const { key } = await world.api("POST", "/keys", { name: "k", scope: "agent", agent: bot });
    const running = start({ E2A_API_KEY: key });
    await answer(running, "Mail 1 of 2: what now?", "a");
    const { code, err } = await running.done;
    expect([code, err]).toEqual([4, expect.stringMatching(/^error: \S.*\n/)]);
  });

  test("another refusal is said, the next mail comes, and it ends with 1", async () => {
    await hold(1);
    const running = start();
    await running.printed("Mail 1 of 1: what now?");
    world.refuses([502, { code: "upstream_rejected", detail: "The upstream said 550." }]);
    running.stdin.write("a");
    const { code, out } = await running.done;
    expect(code).toBe(1);
    expect(out).toContain("! The upstream said 550.\n");
  });
});
