/** The result of authentication in one line. */
import { type Authentication, splitAddress } from "./mail.ts";

export interface Judged {
  from: string;
  verified?: boolean | null;
  verified_domain?: string | null;
  authentication?: Authentication;
}

/** "proven: example.com (DMARC by DKIM)", or "not proven: …" with the first reason that explains it. */
export function verdictLine(message: Judged): string {
  if (message.verified === true) {
    const domain = message.verified_domain ?? splitAddress(message.from)?.domain ?? message.from;
    return `proven: ${domain}${message.authentication ? ` (${proof(message.authentication)}${unsigned(message.authentication)})` : ""}`;
  }
  if (message.verified === false)
    return `not proven: ${message.authentication ? doubt(message.authentication) : "no proof given"}`;
  return "not examined";
}

/**
 * Removes the domains of the envelope and the signatures. In the verdict of an unproven mail they are the sender's free
 * choice, so models do not get them.
 */
export function withoutDomains(authentication: Authentication): Authentication {
  const { spf, dkim } = authentication;
  const signatures = dkim.slice(0, SIGNATURES_MAX).map((signature) => ({ ...signature, domain: "" }));
  return { ...authentication, spf: { ...spf, domain: "" }, dkim: signatures };
}

/** Honest mail has one to four. */
const SIGNATURES_MAX = 20;

function proof({ dmarc, dkim }: Authentication): string {
  if (dmarc.result === "pass") return `DMARC by ${dmarc.aligned_by.map((way) => way.toUpperCase()).join(" and ")}`;
  const signed = dkim.some((signature) => signature.aligned && signature.result === "pass");
  return `aligned ${signed ? "DKIM" : "SPF"}, no DMARC record`;
}

/** Names the fields that a host on the way could have written, because no signature covers them. */
function unsigned({ unsigned: fields = [] }: Authentication): string {
  return fields.length > 0 ? `; not signed: ${fields.join(", ")}` : "";
}

function doubt({ spf, dkim, dmarc }: Authentication): string {
  if (dmarc.result === "fail")
    return `DMARC fails${dmarc.policy ? ` (the domain asks to ${asks[dmarc.policy]})` : ""}; ${parts(spf, dkim)}`;
  if (dmarc.result === "temperror") return `DNS gave no answer in time; ${parts(spf, dkim)}`;
  // Also of a message whose From field names no domain, or more than one (RFC 9989 5.3.1).
  if (dmarc.result === "permerror")
    return `the From field or its domain's DMARC record is broken; ${parts(spf, dkim)}`;
  return `no DMARC record; ${parts(spf, dkim)}`;
}

const asks = { none: "deliver such mail", quarantine: "quarantine such mail", reject: "reject such mail" } as const;

function parts(spf: Authentication["spf"], dkim: Authentication["dkim"]): string {
  const signatures = dkim.map(({ result, domain }) => (domain ? `DKIM ${result} for ${domain}` : `DKIM ${result}`));
  const ways = [`SPF ${spf.result}${spf.domain ? ` for ${spf.domain}` : ""}`, ...signatures];
  return dkim.length === 0 ? `${ways[0]}, no DKIM signature` : ways.join(", ");
}
