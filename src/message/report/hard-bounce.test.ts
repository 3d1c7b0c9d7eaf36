import { expect, test } from "bun:test";
import { isHardBounce } from "./hard-bounce.ts";

/** Wordings of real servers; the addresses are made up. */
const hard: [status: string | null, diagnostic: string][] = [
  [null, "550 5.1.1 <ann@shop.example>: Recipient address rejected: User unknown in local recipient table"],
  [null, "550 5.1.1 <spam@shop.example>: Recipient address rejected: User unknown in virtual mailbox table"],
  [null, "550 5.1.1 <ann@shop.example>: Recipient address rejected: User unknown in relay recipient table"],
  ["5.1.1", ""],
  ["5.1.2", "Domain name not found"],
  ["5.1.3", "501 5.1.3 Bad recipient address syntax"],
  ["5.1.6", "550 5.1.6 recipient no longer on server"],
  ["5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"],
  [null, "556 5.1.10 Recipient address has null MX"],
  ["5.2.1", "550 5.2.1 The email account that you tried to reach is inactive. https://support.example/?p=DisabledUser"],
  // Gmail, as one line and with the codes of its lines.
  [
    "5.1.1",
    "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's email address for typos or 550-5.1.1 unnecessary spaces. 550 5.1.1 https://support.example/mail/?p=NoSuchUser x - gsmtp",
  ],
  [
    null,
    "550-5.1.1 The email account that you tried to reach\r\n550-5.1.1 does not exist. Please try\r\n550 5.1.1 double-checking",
  ],
  ["5.0.0", "550 5.1.1 The email account that you tried to reach does not exist."],
  [
    "5.0.0",
    "** Address not found ** Your message wasn't delivered to ann@shop.example because the address couldn't be found. Check for typos or unnecessary spaces and try again.",
  ],
  // Outlook.com, Exchange Online, Exchange.
  [
    "5.5.0",
    "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [mx.example 2026-01-01T00:00:00.000Z]",
  ],
  ["5.4.1", "550 5.4.1 Recipient address rejected: Access denied. [mx.example 2026-01-01T00:00:00.000Z 08DE]"],
  [null, "550 5.4.1 [ann@shop.example]: Recipient address rejected: Access denied"],
  ["5.0.0", "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##rfc822;ann@shop.example"],
  [null, "The recipient name is not recognized MSEXCH:IMS:SHOP:HQ:MAIL 0 (000C05A6) Unknown Recipient"],
  // Yahoo, iCloud, GMX, and the rest of the world.
  [
    "5.0.0",
    "554 delivery error: dd This user doesn't have a yahoo.com account (ann@shop.example) [0] - mta1.mail.example",
  ],
  [
    null,
    "554 delivery error: dd This user doesn't have a yahoo.com account (ann@shop.example) [0] - mta1.mail.example",
  ],
  [null, "554: delivery error: dd Not a valid recipient - mta1.mail.example [...]"],
  ["5.0.0", "554 30 Sorry, your message to ann@shop.example cannot be delivered. This mailbox is disabled (554.30)."],
  [null, "550 5.1.1 <ann@shop.example>: user does not exist"],
  [null, "550 5.1.1 unknown or illegal alias: ann@shop.example"],
  ["5.0.0", "550 No such user here"],
  [null, "550 <ann@shop.example>: User unknown"],
  [null, "550 5.7.1 <ann@shop.example>: Recipient address rejected: User unknown"],
  [null, "550 5.1.0 Address rejected: recipient unknown"],
  [null, "550 Unrouteable address"],
  [null, "Sorry, no mailbox here by that name. (#5.1.1)"],
  [null, "User Ann Example (ann@shop.example) not listed in Domino Directory"],
  ["5.4.4", "Host or domain name not found. Name service error for name=shop.example type=AAAA: Host not found"],
];
test.each(hard)("%p %s is hard", (status, diagnostic) => {
  expect(isHardBounce({ status, diagnostic })).toBe(true);
});

const soft: [status: string | null, diagnostic: string][] = [
  // Full, slow, temporary.
  ["5.2.2", "552 5.2.2 The recipient's inbox is out of storage space."],
  ["5.1.1", "550 5.1.1 <ann@shop.example> mailbox is full"],
  ["5.0.0", "552 Requested mailbox exceeds quota."],
  [null, "552 5.2.2 mailbox size limit exceeded"],
  ["4.1.1", "450 4.1.1 <ann@shop.example>: Recipient address rejected: unverified address"],
  [null, "450 4.7.1 <ann@shop.example>: Recipient address rejected: Greylisted, see https://postgrey.example/"],
  [null, "450 <ann@shop.example>: User unknown in local recipient table"],
  [null, "451 4.3.0 Temporary lookup failure"],
  ["5.0.0", "421 4.4.2 No such user: connection dropped"],
  ["5.2.1", "550 5.2.1 The user you are trying to contact is receiving mail too quickly. Please resend your message"],
  ["4.4.7", "delivery temporarily suspended: connect to mx.shop.example[192.0.2.7]:25: Connection timed out"],
  ["4.4.1", "connect to mx.shop.example[192.0.2.7]:25: Connection refused"],
  ["5.4.4", "Host not found, try again"],
  // About the sender, the host, the content.
  ["5.1.7", "550 5.1.7 Invalid address"],
  ["5.1.8", "550 5.1.8 <agent@agents.example>: Sender address rejected: Domain not found"],
  [null, "550-Verification failed for <agent@agents.example> 550-No Such User Here 550 Sender verify failed"],
  ["5.1.1", "550 5.1.1 Sender address rejected: User unknown"],
  ["5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.example"],
  ["5.7.26", "550-5.7.26 Unauthenticated email from agents.example is not accepted due to domain's DMARC policy."],
  ["5.7.1", "550 5.7.1 Unable to relay for ann@shop.example"],
  [null, "554 5.7.1 <ann@shop.example>: Relay access denied"],
  ["5.7.1", "554 5.7.1 <ann@shop.example>: Recipient address rejected: Access denied"],
  ["5.7.1", "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required"],
  ["5.7.606", "550 5.7.606 Access denied, banned sending IP [192.0.2.7]"],
  ["5.4.1", "550 5.4.1 All recipient addresses rejected : Access denied"],
  ["5.3.4", "552 5.3.4 Message size exceeds fixed limit"],
  ["5.4.6", "554 5.4.6 Too many hops, user unknown"],
  ["5.6.0", "554 5.6.0 Message contains invalid header"],
  // These words alone are doubtful.
  [null, "550 Requested action not taken: mailbox unavailable"],
  ["5.0.0", "550 mailbox unavailable"],
  ["5.0.0", "550 Message rejected"],
  [null, "554 Transaction failed"],
  [null, ""],
  ["5.0.0", ""],
  ["2.1.5", "250 2.1.5 Ok"],
  // Not evidence: an address and a link that contain the words, and an IP address that looks like a code.
  ["5.0.0", "554 refused <no-such-user@shop.example> https://shop.example/user-unknown"],
  [null, "connect to 5.1.1.1: refused"],
];
test.each(soft)("%p %s is not hard", (status, diagnostic) => {
  expect(isHardBounce({ status, diagnostic })).toBe(false);
});
