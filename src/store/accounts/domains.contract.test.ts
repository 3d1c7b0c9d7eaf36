import { expect, test } from "bun:test";
import { addAccount, addAgent, addDomain, later, mailFor, noon } from "../../../test/store/rows.ts";
import { freshSubject, onEveryDatabase, type Subject, twoNodes, unique } from "../../../test/store/stores.ts";
import { Failure } from "../../util/errors.ts";
import { newId } from "../../util/id.ts";
import { newAgent } from "./agents.ts";

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: unknown) => (error instanceof Failure ? error.code : String(error)),
  );

function dkimKey(selector: string) {
  const algorithm = selector.startsWith("e") ? ("ed25519-sha256" as const) : ("rsa-sha256" as const);
  return { id: newId("dkim"), selector, algorithm, publicKey: "MIIB", sealedPrivateKey: Buffer.from([0, 255, 1]) };
}

function claim(it: Pick<Subject, "store">, userId: string, domain: string, domainsMax = 100) {
  return it.store.createDomain({
    userId,
    domain,
    verificationToken: unique("e2a-verify"),
    dkimKeys: [dkimKey("r1"), dkimKey("e1")],
    domainsMax,
    now: noon,
  });
}

onEveryDatabase((it) => {
  test("two accounts may claim a domain, only one can be the proven one", async () => {
    const [a, b] = [await addAccount(it.store), await addAccount(it.store)];
    const domain = `${unique("contested")}.example`;
    const claims = [await claim(it, a.id, domain), await claim(it, b.id, domain)];
    expect(await it.store.hostedDomain(domain)).toBeNull();
    expect(await it.store.findMailbox(`postmaster@${domain}`, "agents.example")).toEqual({ kind: "foreign" });
    expect(await codeOf(claim(it, a.id, domain))).toBe("conflict");

    const nodes = await twoNodes(it);
    const proofs = await Promise.all(
      claims.map(({ id }, i) => codeOf(nodes[i % 2]!.store.markDomainVerified(id, later(5)))),
    );
    expect(proofs.sort()).toEqual(["conflict", "done"]);
    const hosted = await it.store.hostedDomain(domain);
    expect(hosted?.verifiedAt).toEqual(later(5));
    const winner = hosted!.userId!;
    expect(await it.store.markDomainVerified(hosted!.id, later(9))).toEqual(hosted!);
    const loser = winner === a.id ? b.id : a.id;
    expect((await it.store.getDomain(loser, domain))?.verifiedAt).toBeNull();
    expect(await codeOf(claim(it, (await addAccount(it.store)).id, domain))).toBe("conflict");

    // Once the first account gives it up, the other one can prove it.
    expect(await it.store.deleteDomain(winner, domain)).toBe(true);
    const rest = await it.store.getDomain(loser, domain);
    expect((await it.store.markDomainVerified(rest!.id, later(10))).userId).toBe(loser);
  });

  test("a claim comes back with its DKIM keys, newest claim first", async () => {
    const { id } = await addAccount(it.store);
    const made = [await claim(it, id, `${unique("a")}.example`), await claim(it, id, `${unique("b")}.example`)];
    expect(made[0]!.dkimKeys.map((key) => key.selector)).toEqual(["r1", "e1"]);
    const listed = await it.store.listDomains(id);
    expect(listed.map((row) => row.domain)).toEqual([made[1]!.domain, made[0]!.domain]);
    const found = await it.store.getDomain(id, made[0]!.domain);
    expect(found?.dkimKeys.map((key) => key.selector)).toEqual(["e1", "r1"]);
    expect(found?.dkimKeys[1]).toEqual(made[0]!.dkimKeys[0]!);
    expect(await it.store.getDomain((await addAccount(it.store)).id, made[0]!.domain)).toBeNull();
    expect(await codeOf(it.store.markDomainVerified("dom_unknown", noon))).toBe("not_found");
  });

  test("limits of an account hold when everything is asked at once", async () => {
    const { id: userId } = await addAccount(it.store);
    const nodes = await twoNodes(it);
    const many = Array.from({ length: 12 }, (_, i) => nodes[i % 2]!);
    const domains = await Promise.all(many.map((node) => codeOf(claim(node, userId, `${unique("many")}.example`, 5))));
    expect(domains.filter((code) => code === "done")).toHaveLength(5);
    expect(new Set(domains)).toEqual(new Set(["done", "conflict"]));
    expect(await it.store.listDomains(userId)).toHaveLength(5);

    await it.store.ensureSharedDomain({ domain: "agents.example", now: noon });
    const agent = () =>
      newAgent({ id: `${unique("bot")}@agents.example`, userId, name: "", webhookUrl: "", mode: "local" }, noon);
    const agents = await Promise.all(many.map((node) => codeOf(node.store.createAgent(agent(), 5))));
    expect(agents.filter((code) => code === "done")).toHaveLength(5);
    expect(new Set(agents)).toEqual(new Set(["done", "conflict"]));
    expect(await it.store.listAgents(userId)).toHaveLength(5);
  });

  test("an agent needs a domain that its account has proven, also when it goes away meanwhile", async () => {
    const [owner, stranger] = [await addAccount(it.store), await addAccount(it.store)];
    const domain = `${unique("own")}.example`;
    const at = (userId: string) =>
      newAgent({ id: `${unique("bot")}@${domain}`, userId, name: "", webhookUrl: "", mode: "local" }, noon);
    expect(await codeOf(it.store.createAgent(at(owner.id), 5))).toBe("conflict");
    await addDomain(it.store, owner.id, domain);
    expect(await codeOf(it.store.createAgent(at(stranger.id), 5))).toBe("conflict");
    const made = at(owner.id);
    expect(await codeOf(it.store.createAgent(made, 5))).toBe("done");
    await it.store.deleteAgent(made.id, new Date());
    await it.store.deleteDomain(owner.id, domain);
    expect(await codeOf(it.store.createAgent(at(owner.id), 5))).toBe("conflict");
  });

  test("a role mailbox takes no agent's place", async () => {
    const { id: userId } = await addAccount(it.store);
    const domain = `${unique("roles")}.example`;
    await addDomain(it.store, userId, domain);
    await it.store.acceptInbound(mailFor(`postmaster@${domain}`));
    const bot = { id: `bot@${domain}`, userId, name: "", webhookUrl: "", mode: "local" as const };
    expect(await codeOf(it.store.createAgent(newAgent(bot, noon), 1))).toBe("done");
  });

  test("an address belongs to one agent, whoever asks first", async () => {
    const [a, b] = [await addAccount(it.store), await addAccount(it.store)];
    const nodes = await twoNodes(it);
    const address = `${unique("bot")}@agents.example`;
    const outcomes = await Promise.all(
      [a, b, a, b].map((user, i) => codeOf(addAgent(nodes[i % 2]!.store, { userId: user.id, address }))),
    );
    expect(outcomes.sort()).toEqual(["conflict", "conflict", "conflict", "done"]);
  });

  test("a domain with agents stays; a mere claim of it can go", async () => {
    const [a, b] = [await addAccount(it.store), await addAccount(it.store)];
    const domain = `${unique("used")}.example`;
    await claim(it, b.id, domain);
    await addDomain(it.store, a.id, domain);
    const agent = await addAgent(it.store, { userId: a.id, address: `bot@${domain}` });
    expect(await codeOf(it.store.deleteDomain(a.id, domain))).toBe("invalid_request");
    expect(await it.store.deleteDomain(b.id, domain)).toBe(true);
    expect(await it.store.deleteDomain(b.id, domain)).toBe(false);
    await it.store.deleteAgent(agent.id, new Date());
    expect(await it.store.deleteDomain(a.id, domain)).toBe(true);
    expect(await it.store.hostedDomain(domain)).toBeNull();
  });

  test("recipients: agents by any case and sub-address, unknown local parts, foreign domains", async () => {
    const { id: userId } = await addAccount(it.store);
    const domain = `${unique("mailboxes")}.example`;
    await addDomain(it.store, userId, domain);
    await addAgent(it.store, { userId, address: `bot@${domain}` });
    const cases: [recipient: string, found: string][] = [
      [`bot@${domain}`, `bot@${domain}`],
      [`BOT@${domain.toUpperCase()}`, `bot@${domain}`],
      [`bot+a+b@${domain}`, `bot@${domain}`],
      [`bot@${domain}.`, `bot@${domain}`],
      [`Postmaster@${domain}`, `postmaster@${domain}`],
      [`abuse+x@${domain}`, `postmaster@${domain}`],
      [`+bot@${domain}`, "unknown"],
      [`other@${domain}`, "unknown"],
      [`"bot"@${domain}`, `bot@${domain}`],
      [`bot@sub.${domain}`, "foreign"],
      ["bot@elsewhere.example", "foreign"],
      [`bot@x@${domain}`, "unknown"],
      ["", "unknown"],
      ["@", "unknown"],
      [`@${domain}`, "unknown"],
      ["bot@", "unknown"],
    ];
    const answers = [];
    for (const [recipient] of cases) {
      const mailbox = await it.store.findMailbox(recipient, domain);
      answers.push([recipient, mailbox.kind === "mailbox" ? mailbox.id : mailbox.kind]);
    }
    expect(answers).toEqual(cases);
  });

  test("a list of agents in pages, newest first, without gap or double, also among equal times", async () => {
    const { id: userId } = await addAccount(it.store);
    const times = [3, 3, 3, 1, 2, 2, 5, 3, 3, 4];
    for (const ms of times) await addAgent(it.store, { userId, now: later(ms) });
    const whole = await it.store.listAgents(userId);
    expect(whole.map((agent) => agent.createdAt)).toEqual(times.sort().reverse().map(later));
    const paged: typeof whole = [];
    for (;;) {
      const page = await it.store.listAgents(userId, { limit: 3, after: paged.at(-1) });
      paged.push(...page);
      if (page.length < 3) break;
    }
    expect(paged).toEqual(whole);
    expect(await it.store.listAgents(userId, { only: whole[4]!.id })).toEqual([whole[4]!]);
    expect(await it.store.listAgents((await addAccount(it.store)).id, { only: whole[4]!.id })).toEqual([]);
  });

  test("the shared domain is the server's, made once by however many nodes; not when an account has proven it", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const made = await Promise.all(
      [0, 1, 2, 3].map((i) => nodes[i % 2]!.store.ensureSharedDomain({ domain: "agents.example", now: noon })),
    );
    expect(new Set(made.map((row) => row.id)).size).toBe(1);
    expect(made[0]).toMatchObject({ userId: null, verifiedAt: noon });
    const owner = await addAccount(fresh.store);
    expect(await codeOf(claim(fresh, owner.id, "agents.example"))).toBe("conflict");
    await addDomain(fresh.store, owner.id, "own.example");
    expect(await codeOf(fresh.store.ensureSharedDomain({ domain: "own.example", now: noon }))).toBe("conflict");
  });

  test("a domain without keys gets one set, however many nodes bring one; what signs is the proven claim's", async () => {
    const nodes = await twoNodes(it);
    const [owner, other] = [await addAccount(it.store), await addAccount(it.store)];
    const domain = `${unique("signed")}.example`;
    await claim(it, other.id, domain);
    expect(await it.store.signingDomain(domain)).toBeNull();
    const { id } = await addDomain(it.store, owner.id, domain);
    expect(await it.store.signingDomain(domain)).toMatchObject({ id, dkimKeys: [] });
    const sets = [1, 2, 3, 4].map((n) => [dkimKey(`r${n}`), dkimKey(`e${n}`)]);
    await Promise.all(sets.map((keys, i) => nodes[i % 2]!.store.ensureDkimKeys(id, keys, noon)));
    const { dkimKeys } = (await it.store.signingDomain(domain))!;
    const set = sets.find((keys) => keys.some((key) => key.id === dkimKeys[0]?.id))!;
    expect(dkimKeys.map((key) => key.id).sort()).toEqual(set.map((key) => key.id).sort());
    expect(dkimKeys[0]?.sealedPrivateKey).toEqual(Buffer.from([0, 255, 1]));
    expect(await it.store.signingDomain(`nowhere.${domain}`)).toBeNull();
  });
});
