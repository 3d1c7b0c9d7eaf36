import { splitAddress } from "../../mail.ts";
import { asciiDomain } from "../../net/host-name.ts";
import { cleanLine } from "../text/clean.ts";
import { statusIn } from "./hard-bounce.ts";

export type DeliveryAction = "failed" | "delayed" | "delivered" | "relayed" | "expanded";

/** What a mail system reports about the delivery of a message to one recipient (RFC 3464 2.3). */
export interface DeliveryReport {
  /** Bare, lower-cased address; null if it is not an address but, for example, the name of a local account. */
  finalRecipient: string | null;
  /** The address before any forwarding, as the sender wrote it; often absent. */
  originalRecipient: string | null;
  action: DeliveryAction;
  /** The enhanced status code, such as 5.1.1 (RFC 3463). */
  status: string | null;
  /** The server's words: one line, at most 500 characters, no control characters. */
  diagnostic: string;
}

/** Fields of one group, names lower-cased, in order. */
export type Group = [name: string, value: string][];

/** A message has at most 50 recipients; a forwarder may expand them. */
const RECIPIENTS_MAX = 100;
const GROUPS_MAX = 200;
const GROUP_FIELDS_MAX = 100;
const VALUE_CHARS_MAX = 2_000;
const DIAGNOSTIC_CHARS_MAX = 500;

/**
 * Reads the machine-readable part of a report: groups of header-like fields between empty lines (RFC 3464 2.1, RFC 5965
 * 3, RFC 8098 3.1). Lines of `text` end in LF. A second Final-Recipient begins a new group, with or without an empty
 * line.
 */
export function readGroups(text: string): Group[] {
  const groups: Group[] = [];
  let group: Group = [];
  const close = () => {
    if (group.length > 0) groups.push(group);
    group = [];
  };
  for (const line of text.split("\n")) {
    if (groups.length === GROUPS_MAX) return groups;
    if (line.trim() === "") {
      close();
      continue;
    }
    const last = group.at(-1);
    if (/^[ \t]/.test(line) && last) {
      last[1] = `${last[1]} ${line.trim()}`.slice(0, VALUE_CHARS_MAX);
      continue;
    }
    const colon = line.indexOf(":");
    if (colon <= 0 || group.length === GROUP_FIELDS_MAX) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    if (name === "final-recipient" && group.some(([key]) => key === name)) close();
    group.push([name, line.slice(colon + 1, colon + 1 + VALUE_CHARS_MAX).trim()]);
  }
  close();
  return groups;
}

/** The first value of that field in any of the groups, or "". */
export function valueIn(groups: readonly Group[], name: string): string {
  return valuesIn(groups, name)[0] ?? "";
}

export function valuesIn(groups: readonly Group[], name: string): string[] {
  return groups.flatMap((group) => group.filter(([key]) => key === name).map(([, value]) => value));
}

/** Reads the recipients of a delivery status, at most 100. Groups without an outcome are left out (RFC 3464 2.3). */
export function deliveryReports(groups: readonly Group[]): DeliveryReport[] {
  const reports: DeliveryReport[] = [];
  for (const group of groups) {
    const value = (name: string) => valueIn([group], name);
    if (!value("final-recipient") && !value("original-recipient")) continue;
    const status = statusIn(value("status"));
    const action = readAction(value("action"), status);
    if (action === null) continue;
    reports.push({
      finalRecipient: typedAddress(value("final-recipient")),
      originalRecipient: typedAddress(value("original-recipient")),
      action,
      status,
      // `smtp; 550 …`: the type adds nothing to the text.
      diagnostic: diagnosticLine(value("diagnostic-code").replace(/^[\w.-]{1,40};/, "")),
    });
    if (reports.length === RECIPIENTS_MAX) break;
  }
  return reports;
}

/** The action by its name in RFC 3464 2.3.3 or at some servers, and otherwise by the class of the status. */
function readAction(value: string, status: string | null): DeliveryAction | null {
  const [word = ""] = /^[a-z]*/.exec(value.toLowerCase()) ?? [];
  switch (word) {
    case "failed":
    case "delayed":
    case "delivered":
    case "relayed":
    case "expanded":
      return word;
    case "failure":
    case "expired":
    case "error":
      return "failed";
    default:
      return status === null
        ? null
        : status.startsWith("5")
          ? "failed"
          : status.startsWith("4")
            ? "delayed"
            : "delivered";
  }
}

/** The address in `rfc822; ann@x.example` or `utf-8; \x{3B1}@x.example` (RFC 3464 2.3, RFC 6533 3), or null. */
export function typedAddress(value: string): string | null {
  const [, type = "", rest = ""] = /^(?:([\w-]{1,40})\s*;)?(.*)$/s.exec(value) ?? [];
  if (/^(?:x400|x-local|local|unknown)$/i.test(type)) return null;
  const address = /^utf-8$/i.test(type)
    ? rest.replace(/\\x\{([0-9A-Fa-f]{1,6})\}/g, (_, hex: string) => character(hex))
    : rest;
  return plainAddress(address);
}

function character(hex: string): string {
  const code = Number.parseInt(hex, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
}

/**
 * Reads an address: bare, lower-cased, its domain in A-labels; null if invalid (RFC 5321 4.5.3.1: 64 and 255 octets).
 */
export function plainAddress(text: string): string | null {
  const word = text.trim().slice(0, 400);
  const bare = /<([^<>]*)>/.exec(word)?.[1] ?? word.split(/\s/, 1)[0] ?? "";
  const parts = splitAddress(bare);
  if (!parts || !/^[^\s\x00-\x1f\x7f-\x9f<>()[\]:;,"]{1,64}$/.test(parts.local)) return null;
  const domain = asciiDomain(parts.domain);
  return domain === null ? null : `${parts.local.toWellFormed()}@${domain}`;
}

export function diagnosticLine(text: string): string {
  return cleanLine(text.slice(0, 4 * DIAGNOSTIC_CHARS_MAX))
    .slice(0, DIAGNOSTIC_CHARS_MAX)
    .toWellFormed()
    .trim();
}
