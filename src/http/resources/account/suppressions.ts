import { type Static, Type } from "@sinclair/typebox";
import { readMailbox } from "../../../message/addresses.ts";
import type { Caller } from "../../../store/accounts/accounts.ts";
import type { SuppressionRow } from "../../../store/schema.ts";
import { Suppression } from "../../../wire/suppression.ts";
import { optional, page } from "../../../wire/words.ts";
import { answer, body, invalid, query, text } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { requireAccountKey } from "./agents.ts";

/** The longest text that `readMailbox` reads. */
const ADDRESS_CHARS_MAX = 1_000;
const DETAIL_CHARS_MAX = 500;

export function suppressionOnWire(row: SuppressionRow): Static<typeof Suppression> {
  return {
    address: row.address,
    reason: row.reason,
    detail: row.detail,
    ...optional("message_id", row.messageId ?? undefined),
    created_at: row.createdAt.toISOString(),
  };
}

/** The routes for addresses that the account no longer writes to; sending to one is refused. */
export function suppressions(deps: RouteDeps) {
  const { store, vault, clock } = deps;
  const tag = "suppressions";

  /** The address that a path names, as the list stores it. Failure `not_found` for an invalid address. */
  function addressOf(caller: Caller, path: string): string {
    requireAccountKey(caller);
    const read = readMailbox(path);
    if ("problem" in read) throw notFound("suppression");
    return read.mailbox.address;
  }

  return resource("/api/v1/suppressions")
    .get(
      "",
      async ({ query, caller }) => {
        requireAccountKey(caller);
        const userId = caller.user.id;
        const { rows, next } = await readPage<SuppressionRow, [number, string]>(
          vault,
          query,
          ["suppressions", userId],
          (after, limit) =>
            store.listSuppressions(userId, {
              limit,
              ...(after ? { after: { createdAt: new Date(after[0]), address: after[1] } } : {}),
            }),
          (row) => [row.createdAt.getTime(), row.address],
        );
        return { suppressions: rows.map(suppressionOnWire), ...next };
      },
      {
        query: query(pageQuery),
        response: { 200: answer(page("suppressions", Suppression)) },
        ...operation({
          id: "listSuppressions",
          tag,
          summary: "List suppressed addresses",
          description: "Newest first. Hard bounces and complaints put addresses here; sending to one is 422.",
          failures: ["forbidden"],
        }),
      },
    )
    .post(
      "",
      async ({ body, caller, status }) => {
        requireAccountKey(caller);
        const read = readMailbox(body.address);
        if ("problem" in read) throw invalid([{ field: "address", message: read.problem }]);
        const { address } = read.mailbox;
        const known = await store.getSuppression(caller.user.id, address);
        if (known) return status(200, suppressionOnWire(known));
        const row = await store.suppress({
          userId: caller.user.id,
          address,
          reason: "manual",
          detail: body.detail ?? "",
          messageId: null,
          now: new Date(clock.now()),
        });
        return status(201, suppressionOnWire(row));
      },
      {
        body: body({
          address: text({ min: 1, max: ADDRESS_CHARS_MAX, description: "Such as ann@example.com." }),
          detail: Type.Optional(text({ max: DETAIL_CHARS_MAX, description: "A note for people." })),
        }),
        response: { 200: answer(Suppression), 201: answer(Suppression) },
        ...operation({
          id: "createSuppression",
          tag,
          summary: "Suppress an address",
          description: "201 when it is new. One that is there already stays as it is, and is answered with 200.",
          failures: ["forbidden"],
          example: { address: "ann@example.com", detail: "Asked us to stop." },
        }),
      },
    )
    .get(
      "/:address",
      async ({ params, caller }) => {
        const row = await store.getSuppression(caller.user.id, addressOf(caller, params.address));
        if (!row) throw notFound("suppression");
        return suppressionOnWire(row);
      },
      {
        response: { 200: answer(Suppression) },
        ...operation({
          id: "getSuppression",
          tag,
          summary: "Get a suppressed address",
          description: "404 when the address is not on the list.",
          failures: ["forbidden"],
        }),
      },
    )
    .delete(
      "/:address",
      async ({ params, caller }) => {
        if (!(await store.unsuppress(caller.user.id, addressOf(caller, params.address)))) throw notFound("suppression");
        return new Response(null, { status: 204 });
      },
      operation({
        id: "deleteSuppression",
        tag,
        summary: "Take an address off the list",
        description: "An address that bounced may bounce again, which hurts the reputation of the server that sends.",
        failures: ["forbidden"],
        produces: { status: 204, description: "Off the list" },
      }),
    );
}
