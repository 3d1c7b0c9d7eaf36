import { isHardBounce } from "../message/report/hard-bounce.ts";
import type { DeliveryReport, Report } from "../message/report/report.ts";
import type { Store } from "../store/store.ts";
import { Failure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";

/** One of our messages, and the recipient that its return path names. */
export interface ReportedMessage {
  messageId: string;
  recipient: number;
}

const fates = {
  failed: "bounced",
  delayed: "deferred",
  delivered: "delivered",
  relayed: "delivered",
  expanded: "delivered",
} as const;

/**
 * Records what a report says about the recipient whose return path it came to. Throws Failure `unavailable` if the
 * report arrived before we committed the upstream's answer.
 */
export async function takeReport(
  report: Report,
  about: ReportedMessage,
  { store, log, now }: { store: Store; log: Log; now: Date },
): Promise<void> {
  const fields = { message: about.messageId, recipient: about.recipient };
  if (report.kind === "delivery") {
    const said = gravest(report.recipients);
    if (!said) return log.info("bounce.empty", fields);
    const status = fates[said.action];
    const detail = said.diagnostic || `${said.action} ${said.status ?? ""}`.trim();
    // A hard bounce of an address that the recipient forwards to says nothing about the address we wrote to.
    const addresses = [said.originalRecipient, said.finalRecipient].flatMap((address) => (address ? [address] : []));
    const suppress = status === "bounced" && isHardBounce(said);
    const recipient = await store.recordReport({
      messageId: about.messageId,
      n: about.recipient,
      status,
      detail,
      suppress,
      addresses,
      now,
    });
    if (recipient?.status === "sending")
      throw new Failure("unavailable", "The message that this report is about is still being sent; try again later.");
    log.info(`bounce.${status}`, { ...fields, status: said.status, detail });
  } else if (report.kind === "complaint") {
    if (report.feedbackType === "not-spam") return log.info("complaint.withdrawn", fields);
    await store.recordReport({
      messageId: about.messageId,
      n: about.recipient,
      status: "complained",
      detail: `Complaint (${report.feedbackType})`,
      suppress: true,
      // The return path identifies the recipient; complaints often hide the address.
      addresses: [],
      now,
    });
    log.warn("complaint.received", { ...fields, type: report.feedbackType });
  } else log.info("bounce.ignored", { ...fields, kind: report.kind });
}

/**
 * A return path names one recipient. If the report lists several (the address expanded to a list), the worst counts.
 */
function gravest(reports: DeliveryReport[]): DeliveryReport | undefined {
  const order = ["failed", "delayed", "delivered", "relayed", "expanded"] as const;
  return order.map((action) => reports.find((report) => report.action === action)).find((report) => report);
}
