import type { components } from "../../../sdks/typescript/src/schema.ts";

type Outbound = components["schemas"]["Outbound"];

/** Whether a person's approval can still be undone: delivery has not been tried to any recipient. */
export function isWithdrawable({
  status,
  reviewed_at,
  reviewed_by,
  recipients,
}: Pick<Outbound, "status" | "reviewed_at" | "reviewed_by" | "recipients">): boolean {
  const isApproved = status === "queued" && reviewed_at !== undefined && reviewed_by !== "expiry";
  return isApproved && recipients.every(({ attempts }) => attempts === 0);
}
