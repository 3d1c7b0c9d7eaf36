import type { GateRules } from "../mail.ts";
import { splitAddress } from "../mail.ts";
import { readAddress } from "../message/addresses.ts";
import { unreadableLink } from "../message/html/links.ts";
import { cleanLine } from "../message/text/clean.ts";
import type { Hold, HoldRule } from "../store/schema.ts";
import { inQuotes, type Unsearched } from "./attached-text.ts";
import type { Found } from "./patterns.ts";
import type { Search } from "./search.ts";

/** An agent's policy for its outgoing mail. */
export interface Gate {
  enabled: boolean;
  /** If null, or if no rule is switched on, every message is held. */
  rules: GateRules | null;
  /** Entries from `readAllowEntry`: exact addresses, and domains without their subdomains. */
  allow: string[];
}

/** What the gate needs to know about one message. */
export interface GateFacts {
  /** All addresses of the envelope, lower-cased. */
  recipients: string[];
  /** Recipients that are not agents of the account. */
  outside: string[];
  /** Recipients to whom the agent has sent no mail, and from whom it has received no proven mail. */
  firstTime: string[];
  attachments: { filename: string }[];
  /** The result of a search of all its texts. */
  search: Search;
  /** Whether the conversation, or a recipient, has mail that came in with an unproven From. */
  unverified: boolean;
}

/** A list in a client shows this much on a few lines; the reviewer sees the whole mail elsewhere. */
const REASON_CHARS_MAX = 500;
/** How many items of a kind are named before "and 3 more", and how many characters of each. */
const NAMED_MAX = 3;
const NAME_CHARS_MAX = 60;

/** A rule that caught the message. `says` gives the reason, naming at most so many things. */
interface Catch {
  rule: HoldRule;
  says: (named: number) => string;
}

/**
 * Decides whether the message waits for a reviewer. Returns the reason, one sentence of at most 500 characters that
 * names every rule that caught it; null if the message may leave. Mail whose recipients are all on the allow list
 * always may. An allowed recipient among others counts as neither outside nor first-time. Text that is too long to
 * search is held. Parts that are not text are named in the reason, and held by the rule `unsearched`. Pure.
 */
export function gateHold(gate: Gate, facts: GateFacts): Hold | null {
  if (!gate.enabled) return null;
  const allow = new Set(gate.allow);
  const allowed = (address: string) => isAllowed(address, allow);
  if (facts.recipients.length > 0 && facts.recipients.every(allowed)) return null;

  const { rules } = gate;
  if (!rules || !hasRule(rules))
    return { rule: "approval", reason: "A person must approve every message of this agent." };
  const others = (addresses: string[]) => addresses.filter((address) => !allowed(address));
  const caught = catches(rules, { ...facts, outside: others(facts.outside), firstTime: others(facts.firstTime) });
  if (!caught[0]) return null;
  const searches = Boolean(rules.patterns?.length || rules.new_links);
  const isSaid = !searches || caught.some(({ rule }) => rule === "unsearched");
  return { rule: caught[0].rule, reason: reasonOf(caught, isSaid ? [] : facts.search.unsearched) };
}

/**
 * The local part must match exactly, so a sub-address is a separate address. A domain does not allow a local part with
 * a route in it (`eve%evil.example`, `evil.example!eve`), or one in quotes: a server of that domain may pass such mail
 * on.
 */
function isAllowed(address: string, allow: ReadonlySet<string>): boolean {
  const read = readAddress(address);
  if ("problem" in read) return false;
  const parts = splitAddress(read.address);
  return allow.has(read.address) || (parts !== null && !/[%!"]/.test(parts.local) && allow.has(parts.domain));
}

/** Whether any rule is switched on. */
export function hasRule(rules: GateRules): boolean {
  const { outside, first_time, max_recipients, attachments, new_links, unverified, unsearched, patterns } = rules;
  const switches = outside || first_time || attachments || new_links || unverified || unsearched;
  return Boolean(switches) || typeof max_recipients === "number" || (patterns ?? []).length > 0;
}

/** Most harmful first: the first rule names the hold. */
function catches(rules: GateRules, facts: GateFacts): Catch[] {
  const { recipients, outside, firstTime, attachments } = facts;
  const { found, newHosts, isTooLong, unsearched } = facts.search;
  const caught: Catch[] = [];
  const add = (rule: HoldRule, holds: boolean, says: Catch["says"]) => holds && caught.push({ rule, says });

  if (rules.patterns?.length) {
    const isFound = found.secrets.length > 0 || found.patterns.length > 0;
    add("pattern", isFound || isTooLong, (named) =>
      isFound ? patternsSay(found, named) : "it is too long to search for patterns",
    );
  }
  add(
    "unverified",
    Boolean(rules.unverified && facts.unverified),
    () => "the conversation or a recipient has mail from an unproven sender",
  );
  if (rules.new_links)
    add("new_links", isTooLong || newHosts.length > 0, (named) =>
      newHosts.length > 0 ? linksSay(newHosts, named) : "it is too long to search for links",
    );
  add(
    "unsearched",
    Boolean(rules.unsearched) && unsearched.length > 0,
    (named) => `it has parts that cannot be searched: ${unsearchedSay(unsearched, named)}`,
  );
  add(
    "first_time",
    Boolean(rules.first_time) && firstTime.length > 0,
    (named) =>
      `it goes to ${list(firstTime, named, "recipient")}, which this agent has neither written to nor received verified mail from`,
  );
  add(
    "outside",
    Boolean(rules.outside) && outside.length > 0,
    (named) => `it goes to ${list(outside, named, "recipient")}, outside this account`,
  );
  add("attachments", Boolean(rules.attachments) && attachments.length > 0, (named) => {
    const names = attachments.map(({ filename }) => (filename ? inQuotes(filename) : "(no name)"));
    return named > 0 ? `it attaches ${list(names, named, "file")}` : `it has ${count(names.length, "attachment")}`;
  });
  const max = rules.max_recipients;
  add(
    "max_recipients",
    typeof max === "number" && recipients.length > max,
    () => `it has ${count(recipients.length, "recipient")}, more than ${max}`,
  );
  return caught;
}

function patternsSay({ secrets, patterns, places }: Found, named: number): string {
  const matched = () =>
    named > 0
      ? `the pattern ${list(
          patterns.map((p) => `"${p}"`),
          named,
          "pattern",
        )}`
      : count(patterns.length, "pattern");
  const says = [
    ...(secrets.length > 0
      ? [`it contains what looks like ${named > 0 ? list(secrets, named, "kind of secret") : "a secret"}`]
      : []),
    ...(patterns.length > 0 ? [`it matches ${matched()}`] : []),
  ].join(" and ");
  return named > 0 ? `${says} in ${list(places, named, "place")}` : says;
}

/** `the attachment “a.png” (binary) and 2 more`. */
function unsearchedSay(unsearched: readonly Unsearched[], named: number): string {
  return list(
    unsearched.map(({ name, why }) => `${short(name)} (${why})`),
    named,
    "part",
  );
}

function linksSay(hosts: string[], named: number): string {
  const shown = hosts.map((host) => {
    if (host === unreadableLink) return "an address that cannot be read";
    return host.endsWith(":") ? `a ${host} address` : host;
  });
  return `it links to ${list(shown, named, "host")}, which a recipient has not seen in this conversation`;
}

/** The sentence, with fewer and fewer names until it fits, and another one about what was not searched. */
function reasonOf(caught: readonly Catch[], unsearched: readonly Unsearched[]): string {
  for (let named = NAMED_MAX; ; named--) {
    const parts = caught.map(({ says }) => says(named));
    const last = parts.at(-1);
    const sentence = parts.length > 1 ? `${parts.slice(0, -1).join(", ")}, and ${last}.` : `${last}.`;
    const more = unsearched.length > 0 ? ` Not searched: ${unsearchedSay(unsearched, named)}.` : "";
    const reason = sentence.charAt(0).toUpperCase() + sentence.slice(1) + more;
    if (reason.length <= REASON_CHARS_MAX || named === 0) return reason.slice(0, REASON_CHARS_MAX);
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

/** One line without invisible characters, cut in the middle: the end of a host, address or file name says most. */
function short(text: string): string {
  const characters = [...cleanLine(text.replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, ""))];
  if (characters.length <= NAME_CHARS_MAX) return characters.join("");
  const half = NAME_CHARS_MAX / 2;
  return `${characters.slice(0, half - 1).join("")}…${characters.slice(-half).join("")}`;
}

/**
 * Reads one entry of the allow list as a user writes it: an address, or a domain without any sign before it. Returns it
 * in its lower-case A-label form. `problem` is the rest of a sentence that begins with the field's name.
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
