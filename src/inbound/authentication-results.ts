import type { Authentication, DkimResult } from "../mail.ts";

/** The order in which one result stands for all signatures: a pass first, then failures, "none" last. */
const dkimRank: DkimResult[] = ["pass", "temperror", "fail", "permerror", "policy", "neutral", "none"];

/**
 * Writes the value of X-E2A-Auth-Domain-Check: `spf=pass; dkim=pass; dmarc=pass`. DKIM is `none` without a signature,
 * and otherwise the best result of all. `dmarc` is left out if the From domain publishes no policy.
 */
export function domainCheck({ spf, dkim, dmarc }: Authentication): string {
  const best = dkimRank.find((result) => dkim.some((signature) => signature.result === result)) ?? "none";
  const checks = [`spf=${spf.result}`, `dkim=${best}`];
  if (dmarc.result !== "none") checks.push(`dmarc=${dmarc.result}`);
  return checks.join("; ");
}

/** Facts in the field that `authentication` does not have. */
export interface ResultDetails {
  /** Our authserv-id (RFC 8601 2.5). */
  authservId: string;
  /** Whether SPF checked the HELO name because the reverse-path was null. */
  byHelo: boolean;
  /** The From domain, if there is exactly one. */
  fromDomain: string | null;
  /** Why a signature that verified does not count, by its position. */
  dkimReasons: readonly (string | null)[];
}

/**
 * Writes the value of our Authentication-Results field on one line (RFC 8601 2.2), to be folded at its spaces. Names
 * from the message or the client are reduced to letters, digits and `.-_`, so none of them can add to the field.
 */
export function authenticationResults({ spf, dkim, dmarc, arc }: Authentication, details: ResultDetails): string {
  const results = [`spf=${spf.result}${property(details.byHelo ? "smtp.helo" : "smtp.mailfrom", spf.domain)}`];
  if (dkim.length === 0) results.push("dkim=none");
  for (const [i, signature] of dkim.entries()) {
    const reason = details.dkimReasons[i];
    const names = [
      property("header.d", signature.domain),
      property("header.s", signature.selector),
      property("header.a", signature.algorithm),
    ];
    results.push(`dkim=${signature.result}${reason ? ` reason="${plain(reason, /[^\w. -]/g)}"` : ""}${names.join("")}`);
  }
  const policy = dmarc.policy ? ` policy.dmarc=${dmarc.policy}` : "";
  results.push(`dmarc=${dmarc.result}${policy}${property("header.from", details.fromDomain ?? "")}`);
  if (arc.result !== "none") results.push(`arc=${arc.result}`);
  return [plain(details.authservId), ...results].join("; ");
}

/** Names that DNS allows are shorter (RFC 1035 2.3.4); this keeps every line of the field legal. */
const NAME_CHARS_MAX = 255;

function property(name: string, value: string): string {
  const text = plain(value);
  return text ? ` ${name}=${text}` : "";
}

function plain(text: string, unwanted = /[^\w.-]/g): string {
  return text.slice(0, NAME_CHARS_MAX).replace(unwanted, "_");
}
