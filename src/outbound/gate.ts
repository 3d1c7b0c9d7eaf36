import { cleanLine } from "../inbound/clean-text.ts";
import type { GateRules } from "../mail.ts";
import { splitAddress } from "../mail.ts";
import type { Hold, HoldRule } from "../store/schema.ts";
import { readAddress } from "./addresses.ts";
import { linkHosts, searchedCharsMax, unreadableLink } from "./links.ts";
import { type Found, findPatterns } from "./patterns.ts";

/** An agent's policy for its mail out. */
export interface Gate {
  enabled: boolean;
  /** Null, or no rule switched on: every message is held. */
  rules: GateRules | null;
  /** Entries as `readAllowEntry` gives them: exact addresses, and domains, of which subdomains are no part. */
  allow: string[];
}

/** What the gate has to know about one message. */
export interface GateFacts {
  /** All addresses of the envelope, lower-cased. */
  recipients: string[];
  /** Those that are no agents of this server. */
  outside: string[];
  /** Those whom the agent neither wrote to nor heard from. */
  firstTime: string[];
  attachments: { filename: string; content_type: string }[];
  subject: string;
  text: string;
  html: string | null;
  /** Hosts of the links in the conversation so far, from `linkHosts`. */
  seenHosts: ReadonlySet<string>;
  /** Whether the conversation has mail that came in without its From being proven. */
  unverified: boolean;
}

/** What a list client shows on a few lines; the reviewer sees the whole mail elsewhere. */
const reasonCharsMax = 500;
/** How many of a kind are named before "and 3 more", and how many characters of each. */
const namedMax = 3;
const nameCharsMax = 60;

/** One rule that caught the message: says why, naming at most so many things. */
interface Catch {
  rule: HoldRule;
  says: (named: number) => string;
}

/**
 * Whether the message waits for a person, and why, in one sentence of at most 500 characters that names every rule that
 * caught it; null when it may leave. Mail of which every recipient is on the allow list always may. An allowed recipient
 * among others counts as neither outside nor first-time. What is too long to be searched is held. Pure.
 */
export function gateHold(gate: Gate, facts: GateFacts): Hold | null {
  if (!gate.enabled) return null;
  const allow = new Set(gate.allow);
  const allowed = (address: string) => isAllowed(address, allow);
  if (facts.recipients.length > 0 && facts.recipients.every(allowed)) return null;

  const { rules } = gate;
  if (!rules || !hasRule(rules))
    return { rule: "approval", reason: "Every message of this agent waits for a person's approval." };
  const others = (addresses: string[]) => addresses.filter((address) => !allowed(address));
  const caught = catches(rules, { ...facts, outside: others(facts.outside), firstTime: others(facts.firstTime) });
  return caught[0] ? { rule: caught[0].rule, reason: reasonOf(caught) } : null;
}

/** The local part exactly as it is, so that a sub-address is an address of its own. */
function isAllowed(address: string, allow: ReadonlySet<string>): boolean {
  const read = readAddress(address);
  if ("problem" in read) return false;
  return allow.has(read.address) || allow.has(splitAddress(read.address)?.domain ?? read.address);
}

function hasRule(rules: GateRules): boolean {
  const { outside, first_time, max_recipients, attachments, new_links, unverified, patterns } = rules;
  const switches = outside || first_time || attachments || new_links || unverified;
  return Boolean(switches) || typeof max_recipients === "number" || (patterns ?? []).length > 0;
}

/** In the order in which a hold is named for them: what is most likely to do harm comes first. */
function catches(rules: GateRules, facts: GateFacts): Catch[] {
  const { recipients, outside, firstTime, attachments } = facts;
  const caught: Catch[] = [];
  const add = (rule: HoldRule, holds: boolean, says: Catch["says"]) => holds && caught.push({ rule, says });
  const long = facts.text.length > searchedCharsMax || (facts.html?.length ?? 0) > searchedCharsMax;

  if (rules.patterns?.length) {
    const filenames = attachments.map(({ filename }) => filename);
    const found = long ? null : findPatterns(rules.patterns, { ...facts, filenames });
    const holds = !found || found.secrets.length > 0 || found.patterns.length > 0;
    add("pattern", holds, (named) =>
      found ? patternsSay(found, named) : "it is too long to be searched for patterns",
    );
  }
  add(
    "unverified",
    Boolean(rules.unverified && facts.unverified),
    () => "the conversation has mail from an unproven sender",
  );
  if (rules.new_links) {
    const hosts = newHosts(facts);
    add("new_links", long || hosts.length > 0, (named) =>
      hosts.length > 0 ? linksSay(hosts, named) : "it is too long to be searched for links",
    );
  }
  add(
    "first_time",
    Boolean(rules.first_time) && firstTime.length > 0,
    (named) => `it goes to ${list(firstTime, named, "recipient")}, to whom this agent has never written`,
  );
  add(
    "outside",
    Boolean(rules.outside) && outside.length > 0,
    (named) => `it leaves this server for ${list(outside, named, "recipient")}`,
  );
  add("attachments", Boolean(rules.attachments) && attachments.length > 0, (named) => {
    const names = attachments.map(({ filename }) => filename || "(no name)");
    return named > 0 ? `it has attached ${list(names, named, "file")}` : `it has ${count(names.length, "attachment")}`;
  });
  const max = rules.max_recipients;
  add(
    "max_recipients",
    typeof max === "number" && recipients.length > max,
    () => `it has ${count(recipients.length, "recipient")}, more than ${max}`,
  );
  return caught;
}

/** A link without a host, such as `javascript:`, is never an old acquaintance. */
function newHosts({ text, html, seenHosts }: GateFacts): string[] {
  return linkHosts(text, html).filter((host) => host.endsWith(":") || !seenHosts.has(host));
}

function patternsSay({ secrets, patterns }: Found, named: number): string {
  const matched = () =>
    named > 0
      ? `the pattern ${list(
          patterns.map((p) => `"${p}"`),
          named,
          "pattern",
        )}`
      : count(patterns.length, "pattern");
  return [
    ...(secrets.length > 0
      ? [`it holds what looks like ${named > 0 ? list(secrets, named, "kind of secret") : "a secret"}`]
      : []),
    ...(patterns.length > 0 ? [`it matches ${matched()}`] : []),
  ].join(" and ");
}

function linksSay(hosts: string[], named: number): string {
  const shown = hosts.map((host) => {
    if (host === unreadableLink) return "an address that cannot be read";
    return host.endsWith(":") ? `a ${host} address` : host;
  });
  return `it links to ${list(shown, named, "host")}, which the conversation has not seen`;
}

/** The sentence with fewer and fewer names until it fits. */
function reasonOf(caught: readonly Catch[]): string {
  for (let named = namedMax; ; named--) {
    const parts = caught.map(({ says }) => says(named));
    const last = parts.at(-1);
    const sentence = parts.length > 1 ? `${parts.slice(0, -1).join(", ")}, and ${last}.` : `${last}.`;
    const reason = sentence.charAt(0).toUpperCase() + sentence.slice(1);
    if (reason.length <= reasonCharsMax || named === 0) return reason.slice(0, reasonCharsMax);
  }
}

/** `a, b and c`; `a, b, c and 3 more`; with no names at all, `6 hosts`. */
function list(items: readonly string[], named: number, noun: string): string {
  if (named === 0) return count(items.length, noun);
  const names = items.slice(0, named).map(short);
  const last = items.length > named ? `${items.length - named} more` : names.pop();
  return names.length > 0 ? `${names.join(", ")} and ${last}` : String(last);
}

function count(n: number, noun: string): string {
  return `${n} ${n === 1 ? noun : noun.replace(/^\w+/, (word) => `${word}s`)}`;
}

/** On one line with nothing invisible, and cut in its middle: the end of a host, address or file name says most. */
function short(text: string): string {
  const characters = [...cleanLine(text.replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, ""))];
  if (characters.length <= nameCharsMax) return characters.join("");
  const half = nameCharsMax / 2;
  return `${characters.slice(0, half - 1).join("")}…${characters.slice(-half).join("")}`;
}

/**
 * One entry of the allow list from what a person wrote: an address, or a domain without any sign before it, in its
 * lower-case A-label form. A problem is the rest of a sentence that begins with the field's name.
 */
export function readAllowEntry(text: string): { entry: string } | { problem: string } {
  const written = text.trim();
  if (written.startsWith("@")) return { problem: "is not an address: for a whole domain, write it without the @" };
  if (written.includes("*")) return { problem: "has a *: only whole addresses and whole domains can be allowed" };
  if (written.includes("@")) {
    const read = readAddress(written);
    return "problem" in read ? read : { entry: read.address };
  }
  const read = readAddress(`postmaster@${written}`);
  if ("problem" in read || !written.includes(".")) return { problem: "is neither an address nor a domain" };
  return { entry: splitAddress(read.address)?.domain ?? written };
}
