import type { components } from "../../../sdks/typescript/src/schema.ts";

type Outbound = components["schemas"]["Outbound"];

/** Whether a person's approval stands that can still be taken back: no recipient was tried. */
export function isWithdrawable({
  status,
  reviewed_at,
  reviewed_by,
  recipients,
}: Pick<Outbound, "status" | "reviewed_at" | "reviewed_by" | "recipients">): boolean {
  const isApproved = status === "queued" && reviewed_at !== undefined && reviewed_by !== "expiry";
  return isApproved && recipients.every(({ attempts }) => attempts === 0);
}
