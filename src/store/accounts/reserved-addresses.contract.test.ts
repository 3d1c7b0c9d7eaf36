import { expect, test } from "bun:test";
import { addAccount, addAgent, addDomain, later, noon } from "../../../test/store/rows.ts";
import { newSecret, onEveryDatabase, unique } from "../../../test/store/stores.ts";
import type { Failure } from "../../util/errors.ts";

const day = 86_400_000;

onEveryDatabase((it) => {
  const takes = (userId: string, address: string, now = noon) =>
    addAgent(it.store, { userId, address, now }).then(
      () => "taken",
      ({ code, details }: Failure) => [code, details.errors?.[0]?.message],
    );
  const reserved = ["conflict", "is reserved for the account that had it"];

  test("the address of a deleted agent on the server's domain stays with its account for 400 days", async () => {
    const [owner, stranger] = [await addAccount(it.store), await addAccount(it.store)];
    const address = `${unique("bot")}@agents.example`;
    expect(await takes(owner.id, address)).toBe("taken");
    await it.store.deleteAgent(address, noon);
    expect(await takes(stranger.id, address, later(399 * day))).toEqual(reserved);
    expect(await takes(owner.id, address, later(day))).toBe("taken");
    await it.store.deleteAgent(address, later(day));
    const sweep = { messagesBefore: null, deliveriesBefore: null, idempotencyBefore: noon };
    await it.store.sweep({ ...sweep, now: later(400 * day) });
    expect(await takes(stranger.id, address, later(400 * day))).toEqual(reserved);
    await it.store.sweep({ ...sweep, now: later(401 * day) });
    expect(await takes(stranger.id, address, later(2 * day))).toBe("taken");
  });

  test("the addresses of a deleted account stay with whoever has its address", async () => {
    const [owner, stranger] = [await addAccount(it.store), await addAccount(it.store)];
    const address = `${unique("bot")}@agents.example`;
    expect(await takes(owner.id, address)).toBe("taken");
    await it.store.deleteAccount(owner.id, noon);
    expect(await takes(stranger.id, address, later(1))).toEqual(reserved);
    const email = owner.email.toUpperCase();
    const again = await it.store.createAccount({ email, name: "", secret: newSecret(), now: later(2) });
    expect(await takes(again.id, address, later(3))).toBe("taken");
  });

  test("addresses on a domain go with the domain, to whoever proves it anew", async () => {
    const [owner, next] = [await addAccount(it.store), await addAccount(it.store)];
    const domain = `${unique("own")}.example`;
    const { verificationToken } = await addDomain(it.store, owner.id, domain);
    const address = `bot@${domain}`;
    expect(await takes(owner.id, address)).toBe("taken");
    await it.store.deleteAgent(address, noon);
    await it.store.deleteDomain(owner.id, domain);
    const claim = await it.store.createDomain({
      ...{ userId: next.id, domain, verificationToken: unique("token"), dkimKeys: [], domainsMax: 10, now: noon },
    });
    expect(claim.verificationToken).not.toBe(verificationToken);
    expect(claim.verifiedAt).toBeNull();
    expect((await it.store.findMailbox(address, "agents.example")).kind).toBe("foreign");
    await it.store.markDomainVerified(claim.id, noon);
    expect(await takes(next.id, address)).toBe("taken");
  });
});
