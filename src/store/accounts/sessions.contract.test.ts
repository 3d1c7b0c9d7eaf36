import { expect, test } from "bun:test";
import { addAccount, addMessage, later, newKey, noon, noticeFor } from "../../../test/store/rows.ts";
import { freshSubject, newSecret, onEveryDatabase, twoNodes, unique } from "../../../test/store/stores.ts";
import type { Signal } from "../engine/engine.ts";
import type { Store } from "../store.ts";
import type { NewSession } from "./sessions.ts";

const newToken = (userId: string | null = null, expiresAt = later(1_000)) => ({
  ...{ tokenHash: unique("token"), userId, returnTo: "/agents", expiresAt, now: noon },
});

const newSession = (userId: string, changes: Partial<NewSession> = {}): NewSession => ({
  ...{ userId, tokenHash: unique("hash"), keyId: null, userAgent: "Browser/1", ip: "192.0.2.1" },
  ...{ now: noon, expiresAt: later(1_000), ...changes },
});

onEveryDatabase((it) => {
  /** The keys and sessions that were revoked while `run` ran. */
  async function revoked(run: () => Promise<unknown>): Promise<string[]> {
    const heard: Signal[] = [];
    const unsubscribe = it.store.onSignal((signal) => heard.push(signal));
    await run();
    unsubscribe();
    return heard.filter(({ topic }) => topic === "keys").map(({ key }) => key);
  }

  test("of twenty who come first to an empty server, one becomes its owner", async () => {
    await using fresh = await freshSubject(it);
    await fresh.store.ensureSharedDomain({ domain: "agents.example", now: noon });
    const nodes = await twoNodes(fresh);
    const first = (store: Store) =>
      store.createFirstAccount({ email: `${unique("a")}@people.example`, name: "", secret: newSecret(), now: noon });
    const made = (await Promise.all(Array.from({ length: 20 }, (_, i) => first(nodes[i % 2]!.store)))).filter(Boolean);
    expect(made).toEqual([await fresh.store.firstUser()]);
    expect(await first(fresh.store)).toBeNull();
  });

  test("a sign-in token is used by exactly one of twenty callers, and by nobody when it has expired", async () => {
    const nodes = await twoNodes(it);
    const user = await addAccount(it.store);
    const [token, expired] = [newToken(user.id), newToken(user.id)];
    await it.store.createSignInToken(token);
    await it.store.createSignInToken(expired);
    const opens = { user, returnTo: "/agents" };
    expect(await it.store.findSignInToken(token.tokenHash, later(999))).toEqual(opens);
    expect(await it.store.findSignInToken(token.tokenHash, later(1_000))).toBeNull();
    const used = await Promise.all(
      Array.from({ length: 20 }, (_, i) => nodes[i % 2]!.store.useSignInToken(token.tokenHash, later(999))),
    );
    expect(used.filter(Boolean)).toEqual([opens]);
    expect(await it.store.findSignInToken(token.tokenHash, noon)).toBeNull();
    expect(await it.store.useSignInToken(expired.tokenHash, later(1_000))).toBeNull();
    expect(await it.store.useSignInToken("unknown", noon)).toBeNull();
  });

  test("a token that is for nobody opens the first account, as soon as there is one", async () => {
    await using fresh = await freshSubject(it);
    const token = newToken();
    await fresh.store.createSignInToken(token);
    expect(await fresh.store.findSignInToken(token.tokenHash, noon)).toEqual({ user: null, returnTo: "/agents" });
    const user = await addAccount(fresh.store);
    await addAccount(fresh.store, later(1));
    expect(await fresh.store.useSignInToken(token.tokenHash, noon)).toEqual({ user, returnTo: "/agents" });
  });

  test("an account has at most three links in mail open at once, however many are asked for", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const nodes = await twoNodes(fresh);
    const user = await addAccount(store);
    const domain = `${unique("d")}.example`;
    await store.ensureSharedDomain({ domain, now: noon });
    const server = { id: `postmaster@${domain}`, userId: user.id };
    const send = (on: Store, ms: number) => {
      const { now: _, ...token } = newToken(user.id, later(ms + 1_000));
      return on.mailSignInToken({ token: { ...token, userId: user.id }, notice: noticeFor(server), now: later(ms) });
    };
    const sent = await Promise.all(Array.from({ length: 10 }, (_, i) => send(nodes[i % 2]!.store, 0)));
    expect(sent.filter(Boolean)).toHaveLength(3);
    expect(await send(store, 999)).toBe(false);
    expect(await send(store, 1_000)).toBe(true);
    const mails = await store.listOutbound(user.id, { type: "notice" }, { limit: 9 });
    expect(mails.map(({ message, recipients }) => [message.agentId, recipients[0]?.queue])).toEqual(
      Array(4).fill([server.id, "ready"]),
    );
    // The server sends them from the postmaster's mailbox, which can still receive mail.
    expect((await addMessage(store, server.id)).seq).toBe(1);
  });

  test("mail that signs in goes with the account that it was for, not with the mailbox that it is from", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [operator, user] = [await addAccount(store), await addAccount(store, later(1))];
    const domain = `${unique("d")}.example`;
    await store.ensureSharedDomain({ domain, now: noon });
    const mails: string[] = [];
    for (const { id: userId, email } of [operator, user]) {
      const { now: _, ...token } = newToken(userId, later(1_000));
      const notice = noticeFor({ id: `postmaster@${domain}`, userId }, { recipient: email });
      expect(await store.mailSignInToken({ token: { ...token, userId }, notice, now: noon })).toBe(true);
      mails.push(notice.id);
    }
    expect(await store.deleteAccount(user.id, later(5))).toMatchObject({ outboundMessages: 1 });
    expect(await store.listOutbound(user.id, { type: "notice" }, { limit: 9 })).toEqual([]);
    expect(await Promise.all(mails.map((id) => store.outboundBytes(id)))).toEqual([expect.any(Buffer), null]);
  });

  test("a session opens its account until it expires or is ended, and everyone hears of that", async () => {
    const [user, stranger] = [await addAccount(it.store), await addAccount(it.store)];
    const wanted = newSession(user.id, { expiresAt: later(10) });
    const session = await it.store.createSession(wanted);
    expect(await it.store.findSession(wanted.tokenHash, later(9))).toEqual({ session, user });
    expect(await it.store.findSession(wanted.tokenHash, later(10))).toBeNull();
    await it.store.touchSession(session.id, { now: later(5), ip: "192.0.2.2" });
    const touched = { ...session, lastUsedAt: later(5), ip: "192.0.2.2" };
    const second = await it.store.createSession(newSession(user.id));
    expect(await it.store.listSessions(user.id, later(9))).toEqual([second, touched]);
    expect(await it.store.listSessions(user.id, later(10))).toEqual([second]);

    expect(await revoked(() => it.store.deleteSession(stranger.id, session.id))).toEqual([]);
    expect((await it.store.findSession(wanted.tokenHash, noon))?.session.id).toBe(session.id);
    expect(await revoked(() => it.store.deleteSession(user.id, session.id))).toEqual([session.id]);
    expect(await it.store.deleteSession(user.id, session.id)).toBe(false);
    expect(await revoked(() => it.store.endSession(second.tokenHash))).toEqual([second.id]);
    expect(await revoked(() => it.store.endSession("unknown"))).toEqual([]);
    expect(await it.store.findSession(wanted.tokenHash, noon)).toBeNull();
    expect(await it.store.listSessions(user.id, noon)).toEqual([]);
  });

  test("what a key opened ends with the key", async () => {
    const user = await addAccount(it.store);
    const key = await it.store.createKey(user.id, newKey(), noon);
    const other = await it.store.createSession(newSession(user.id));
    const opened = await it.store.createSession(newSession(user.id, { keyId: key.id }));
    const stranger = await addAccount(it.store);
    expect(await revoked(() => it.store.deleteKey(stranger.id, key.id))).toEqual([]);
    expect((await revoked(() => it.store.deleteKey(user.id, key.id))).sort()).toEqual([key.id, opened.id].sort());
    expect(await it.store.listSessions(user.id, noon)).toEqual([other]);
  });

  test("a sweep forgets what has expired", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const { id: userId } = await addAccount(store);
    const sessions = [10, 20].map((ms) => newSession(userId, { expiresAt: later(ms) }));
    const tokens = [10, 20].map((ms) => newToken(userId, later(ms)));
    for (const session of sessions) await store.createSession(session);
    for (const token of tokens) await store.createSignInToken(token);
    await store.sweep({ now: later(15), messagesBefore: null, deliveriesBefore: null, idempotencyBefore: noon });
    const kept = (all: unknown[]) => all.map((one) => one !== null);
    const found = await Promise.all(sessions.map(({ tokenHash }) => store.findSession(tokenHash, noon)));
    expect(kept(found)).toEqual([false, true]);
    const valid = await Promise.all(tokens.map(({ tokenHash }) => store.findSignInToken(tokenHash, noon)));
    expect(kept(valid)).toEqual([false, true]);
  });
});
