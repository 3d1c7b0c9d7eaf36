import { expect, test } from "bun:test";
import { addAccount, later, noon } from "../../../test/store/rows.ts";
import { onEveryDatabase } from "../../../test/store/stores.ts";
import type { SuppressionReason } from "../schema.ts";

onEveryDatabase((it) => {
  const add = (userId: string, address: string, reason: SuppressionReason = "manual", now = noon) =>
    it.store.suppress({ userId, address, reason, detail: `${reason} at ${now.getTime()}`, messageId: null, now });

  test("pages follow each other, newest first, also where times are equal", async () => {
    const [user, other] = [await addAccount(it.store), await addAccount(it.store)];
    await add(other.id, "theirs@people.example");
    for (let i = 0; i < 10; i++) await add(user.id, `a${i}@people.example`, "manual", later(Math.floor(i / 4)));
    const seen: string[] = [];
    for (let after: { createdAt: Date; address: string } | undefined; ; ) {
      const page = await it.store.listSuppressions(user.id, { after, limit: 3 });
      seen.push(...page.map((row) => row.address));
      after = page.at(-1);
      if (page.length < 3) break;
    }
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => `a${9 - i}@people.example`));
  });

  test("an address keeps its first reason, but a complaint outweighs", async () => {
    const { id } = await addAccount(it.store);
    const first = await add(id, "a@people.example", "bounce");
    expect(first).toMatchObject({ reason: "bounce", createdAt: noon });
    expect(await add(id, "a@people.example", "manual", later(1))).toEqual(first);
    const outweighed = await add(id, "a@people.example", "complaint", later(2));
    expect(outweighed).toEqual({ ...first, reason: "complaint", detail: `complaint at ${later(2).getTime()}` });
    expect(await add(id, "a@people.example", "bounce", later(3))).toEqual(outweighed);
    expect(await it.store.getSuppression(id, "a@people.example")).toEqual(outweighed);
  });

  test("an address that is taken off is gone, from the one list only", async () => {
    const [user, other] = [await addAccount(it.store), await addAccount(it.store)];
    for (const { id } of [user, other]) await add(id, "a@people.example");
    expect(await it.store.unsuppress(user.id, "a@people.example")).toBe(true);
    expect(await it.store.unsuppress(user.id, "a@people.example")).toBe(false);
    expect(await it.store.getSuppression(user.id, "a@people.example")).toBeNull();
    expect(await it.store.getSuppression(other.id, "a@people.example")).not.toBeNull();
  });
});
