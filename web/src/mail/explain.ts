import type { components } from "../../../sdks/typescript/src/schema.ts";

type Authentication = components["schemas"]["Authentication"];

export interface Finding {
  /** Whether the result speaks for the sender, against it, or neither. */
  tone: "ok" | "bad" | "quiet";
  check: "DMARC" | "DKIM" | "SPF" | "ARC";
  text: string;
}

export interface Explanation {
  /** The conclusion, in one sentence. */
  summary: string;
  findings: Finding[];
}

interface Judged {
  from: string;
  verified: boolean;
  verified_domain: string | null;
  authentication: Authentication;
}

/** Explains the checks of a message's sender in sentences: which domain is proven, by what, and what failed. */
export function explainVerdict({ from, verified, verified_domain, authentication }: Judged): Explanation {
  const domain = from.slice(from.lastIndexOf("@") + 1) || "the From domain";
  const { spf, dkim, dmarc, arc } = authentication;
  return {
    summary: verified
      ? `${verified_domain ?? domain} itself stands behind this message.`
      : `Nothing proves that this comes from ${domain}. Anybody could have written that name.`,
    findings: [
      dmarcFinding(domain, dmarc),
      ...(dkim.length === 0
        ? [{ tone: "quiet", check: "DKIM", text: "The message has no signature." } as const]
        : dkim.map((one) => dkimFinding(domain, one))),
      ...unsignedFinding(authentication.unsigned),
      spfFinding(domain, spf, dmarc.aligned_by.includes("spf")),
      ...(arc.result === "none"
        ? []
        : [
            {
              tone: "quiet",
              check: "ARC",
              text: `The chain of forwarders: ${arc.result}. It proves nothing here.`,
            } as const,
          ]),
    ],
  };
}

const asks = {
  none: "to deliver such mail anyway",
  quarantine: "to quarantine such mail",
  reject: "to reject such mail",
};

function dmarcFinding(domain: string, { result, policy, aligned_by }: Authentication["dmarc"]): Finding {
  const by = aligned_by.map((way) => way.toUpperCase()).join(" and ");
  const texts = {
    pass: `${domain} is proven by ${by || "its own records"}.`,
    fail: `Neither SPF nor DKIM passes for ${domain}${policy ? `, which asks ${asks[policy]}` : ""}.`,
    none: `${domain} publishes no DMARC record; an SPF or DKIM pass of the same domain would do.`,
    temperror: `DNS gave no answer about ${domain} in time.`,
    permerror: `The From field, or the DMARC record of ${domain}, is broken.`,
  };
  return { tone: result === "pass" ? "ok" : result === "none" ? "quiet" : "bad", check: "DMARC", text: texts[result] };
}

function dkimFinding(domain: string, signature: Authentication["dkim"][number]): Finding {
  const { result, aligned, selector, algorithm } = signature;
  const by = signature.domain || "an unnamed domain";
  const detail = [selector && `selector ${selector}`, algorithm].filter(Boolean).join(", ");
  const how = detail ? ` (${detail})` : "";
  if (result !== "pass")
    return { tone: "bad", check: "DKIM", text: `The signature of ${by} is not valid: ${result}${how}.` };
  if (aligned) return { tone: "ok", check: "DKIM", text: `Signed by ${by}${how}, unchanged since.` };
  return {
    tone: "quiet",
    check: "DKIM",
    text: `Signed by ${by}${how}, which is not ${domain} and proves nothing about it.`,
  };
}

function unsignedFinding(fields: readonly string[]): Finding[] {
  if (fields.length === 0) return [];
  const text = `Not covered by the signature: ${fields.join(", ")}. Any server that relayed the message could have written that.`;
  return [{ tone: "quiet", check: "DKIM", text }];
}

function spfFinding(domain: string, { result, domain: envelope }: Authentication["spf"], aligned: boolean): Finding {
  const of = envelope || "the envelope’s domain";
  if (result === "none") return { tone: "quiet", check: "SPF", text: `${of} names no servers that may send for it.` };
  if (result !== "pass")
    return {
      tone: result === "neutral" ? "quiet" : "bad",
      check: "SPF",
      text: `The server that sent it is not one that ${of} names: ${result}.`,
    };
  const same = aligned || envelope.toLowerCase() === domain.toLowerCase();
  return {
    tone: same ? "ok" : "quiet",
    check: "SPF",
    text: same
      ? `Sent from a server of ${of}.`
      : `Sent from a server of ${of}, which is not ${domain} and proves nothing about it.`,
  };
}
