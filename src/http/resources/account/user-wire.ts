import type { Static } from "@sinclair/typebox";
import type { UserRow } from "../../../store/schema.ts";
import type { User } from "../../../wire/account.ts";

export function userOnWire(row: UserRow): Static<typeof User> {
  const { id, email, name, paused } = row;
  return { id, email, name, created_at: row.createdAt.toISOString(), paused };
}
