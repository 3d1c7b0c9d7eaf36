import { type Static, Type } from "@sinclair/typebox";
import { newSigningSecret } from "../../../accounts.ts";
import { secretRow } from "../../../store/accounts/accounts.ts";
import type { SigningSecretRow } from "../../../store/schema.ts";
import { NewSigningSecret, SigningSecret } from "../../../wire/key.ts";
import { optional, page } from "../../../wire/words.ts";
import { answer, body, query, text } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { cutPage, pageQuery } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { requireAccountKey } from "./agents.ts";

export function signingSecrets(deps: RouteDeps) {
  const { store, vault, clock } = deps;
  return resource("/api/v1/users/me/signing-secrets")
    .get(
      "",
      async ({ query, caller }) => {
        requireAccountKey(caller);
        const all = await store.listSecrets(caller.user.id);
        const { rows, next } = await cutPage(deps.vault, query, ["secrets", caller.user.id], all);
        return { secrets: rows.map(secretOnWire), ...next };
      },
      {
        query: query(pageQuery),
        response: { 200: answer(page("secrets", SigningSecret)) },
        ...operation({
          id: "listSigningSecrets",
          tag: "secrets",
          summary: "List signing secrets",
          description: "Newest first, and the first one signs; all of them unless `page_size` is given.",
          failures: ["forbidden"],
        }),
      },
    )
    .post(
      "",
      async ({ body, caller, exchange, status }) => {
        requireAccountKey(caller);
        const { secret, row } = newSigningSecret(vault, body.name ?? "");
        const now = new Date(clock.now());
        const shown = { ...secretOnWire(secretRow(caller.user.id, row, now)), secret };
        await store.createSecret(caller.user.id, row, now, exchange.keep(201, shown));
        return status(201, shown);
      },
      {
        body: body({ name: Type.Optional(text({ max: 100 })) }),
        response: { 201: answer(NewSigningSecret) },
        ...operation({
          id: "createSigningSecret",
          tag: "secrets",
          summary: "Create a signing secret",
          description: "It signs from now on; the older ones stay, so that receivers can rotate. At most five.",
          failures: ["forbidden", "conflict"],
          example: { name: "2026" },
        }),
      },
    )
    .delete(
      "/:id",
      async ({ params, caller }) => {
        requireAccountKey(caller);
        if (!(await store.deleteSecret(caller.user.id, params.id))) throw notFound("signing secret");
        return new Response(null, { status: 204 });
      },
      operation({
        id: "deleteSigningSecret",
        tag: "secrets",
        summary: "Delete a signing secret",
        description: "Not the last one.",
        failures: ["forbidden", "conflict"],
        produces: { status: 204, description: "Deleted" },
      }),
    );
}

export function secretOnWire(row: SigningSecretRow): Static<typeof SigningSecret> {
  return {
    id: row.id,
    name: row.name,
    secret_prefix: row.secretPrefix,
    created_at: row.createdAt.toISOString(),
    ...optional("last_signed_at", row.lastSignedAt?.toISOString()),
  };
}
