import { type Static, Type } from "@sinclair/typebox";
import { type EditedPart, editableParts } from "../../store/outbound/edited-parts.ts";
import type { AuditRow, OriginalContent } from "../../store/schema.ts";
import { answer, query } from "../framework/input.ts";
import { operation } from "../framework/openapi.ts";
import { pageQuery, readPage } from "../framework/pages.ts";
import { type RouteDeps, resource } from "../framework/resource.ts";
import { requireAccountKey } from "./agents.ts";
import { Original, originalOnWire } from "./outbound-wire.ts";
import { oneOf, optional, page, time } from "./wire.ts";

const AuditEntry = Type.Object(
  {
    id: Type.String(),
    at: time(),
    action: oneOf("approve", "edit_approve", "reject", "expire_approve", "expire_reject", "release", "undo"),
    by: Type.String({ description: "The address of who decided, or `expiry`." }),
    how: oneOf("api", "session", "cli", "link", "expiry"),
    ip: Type.Optional(Type.String({ description: "Where the decision came from." })),
    message_id: Type.String(),
    agent_id: Type.String(),
    content_hash: Type.String({ description: "What was decided about: of an edit, what left." }),
    detail: Type.Optional(
      Type.Object({
        reason: Type.Optional(Type.String({ description: "Of a rejection." })),
        before: Type.Optional(Original),
        changed: Type.Optional(
          Type.Array(oneOf(...editableParts), { description: "The parts that the edit changed." }),
        ),
      }),
    ),
  },
  { $id: "AuditEntry" },
);

/** Who decided what about held mail. Nothing in it can be changed. */
export function audit(deps: RouteDeps) {
  return resource("/api/v1/audit").get(
    "",
    async ({ query, caller }) => {
      requireAccountKey(caller);
      const { rows, next } = await readPage<AuditRow, [string]>(
        deps.vault,
        query,
        ["audit", caller.user.id],
        (after, limit) => deps.store.listAudit(caller.user.id, { limit, ...(after ? { after: after[0] } : {}) }),
        (row) => [row.id],
      );
      return { entries: rows.map(entryOnWire), ...next };
    },
    {
      query: query(pageQuery),
      response: { 200: answer(page("entries", AuditEntry)) },
      ...operation({
        id: "listAudit",
        tag: "approval",
        summary: "List decisions about held mail",
        description: "Newest first. The list is only ever added to.",
        failures: ["forbidden"],
      }),
    },
  );
}

interface Detail {
  reason?: string;
  before?: OriginalContent;
  changed?: EditedPart[];
}

function entryOnWire(row: AuditRow): Static<typeof AuditEntry> {
  const { reason, before, changed } = (row.detail ?? {}) as Detail;
  const detail = {
    ...optional("reason", reason),
    ...optional("before", before && originalOnWire(before)),
    ...optional("changed", changed),
  };
  return {
    id: row.id,
    at: row.createdAt.toISOString(),
    action: row.action,
    by: row.decidedBy,
    how: row.how,
    ...optional("ip", row.ip ?? undefined),
    message_id: row.messageId,
    agent_id: row.agentId,
    content_hash: row.contentHash,
    ...optional("detail", Object.keys(detail).length > 0 ? detail : undefined),
  };
}
