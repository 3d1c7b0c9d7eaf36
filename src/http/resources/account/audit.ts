import type { Static } from "@sinclair/typebox";
import type { AuditRow, OriginalContent } from "../../../store/schema.ts";
import { AuditEntry } from "../../../wire/audit.ts";
import type { EditedPart } from "../../../wire/outbound.ts";
import { optional, page } from "../../../wire/words.ts";
import { answer, query } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { originalOnWire } from "../mail/outbound-wire.ts";
import { requireAccountKey } from "./agents.ts";

/** The route for decisions about held mail, which cannot be changed. */
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
