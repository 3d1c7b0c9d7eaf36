import type { ARCData, DKIMResult, DMARCResult } from "mailauth";
import { arc as evaluateArc } from "mailauth/lib/arc/index.js";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { dmarc as evaluateDmarc } from "mailauth/lib/dmarc/index.js";
import { spf as evaluateSpf } from "mailauth/lib/spf/index.js";
import { type Clock, systemClock } from "../clock.ts";
import { DnsError, type DnsType, type Resolver } from "../dns.ts";
import type { ArcResult, Authentication, DkimResult, DmarcResult, Envelope, SpfResult, Verdict } from "../mail.ts";
import { splitAddress } from "../mail.ts";
import { authenticationResults, domainCheck } from "./authentication-results.ts";
import type { Author, HeaderBlock } from "./headers.ts";
import { asciiDomain, scanHeaders, singleAuthor } from "./headers.ts";
import type { SignatureName } from "./signatures.ts";
import {
  printable,
  proofGap,
  sameOrganization,
  selectSignatures,
  signatureFrom,
  signatureNames,
} from "./signatures.ts";

export interface AuthenticateOptions {
  resolver: Resolver;
  /** Time for the whole verification, all DNS included. What is not known by then is `temperror`. */
  budgetMs: number;
  /** The name in our Authentication-Results field (RFC 8601 2.5). */
  authservId: string;
  clock?: Clock;
}

/** Past these mailauth's header parser, quadratic in the lines of a field, costs more than a message may. */
const headerLimits = { bytesMax: 256 * 1024, fieldsMax: 1_000 };
const headerLinesMax = 5_000;
/** RFC 5321 4.5.3.1.6 allows 1,000; this is where relaxed canonicalization gets slower than the rest of the work. */
const lineBytesMax = 1024 * 1024;
/** Each set costs a key look-up and a verification; real mail has one to three. */
const arcSetsMax = 10;
/** What is left of the budget for arithmetic when DNS is given up. */
const graceMsMax = 200;

/**
 * Checks SPF, DKIM, DMARC and ARC of one message and says whether its From domain is proven (RFC 7208, 6376, 9989, 8617).
 *
 * Verified means: exactly one plain From address, and DMARC passes, or its domain has no DMARC record and an SPF or DKIM
 * pass aligns with it. Alignment has to hold by the Public Suffix List as well as by DMARC's tree walk, so that a tenant
 * of a shared domain cannot speak for its landlord. Signatures that cover less than the message count as `policy`, not
 * as a pass (see `proofGap`). ARC is reported and proves nothing.
 *
 * Plain data in and out, no state. Never throws, and returns within the budget.
 */
export async function authenticate(
  raw: Uint8Array,
  envelope: Envelope,
  options: AuthenticateOptions,
): Promise<Verdict> {
  const budget = startBudget(options);
  const message = withCrlf(raw);
  const block = scanHeaders(message, headerLimits);
  const obstacle = obstacleIn(message, block);
  const author = obstacle ? null : singleAuthor(block);
  // DMARC's first question is known already; its answer arrives while the rest is at work.
  if (author) budget.lookUp(`_dmarc.${author.domain}`, "TXT").catch(() => {});

  const [spf, signed] = await Promise.all([
    checkSpf(envelope, options.authservId, budget),
    obstacle ? unverified(block, "policy", obstacle) : checkDkim(message, block, author, budget),
  ]);
  const proven = author && signed.author === author.address ? author : null;
  const unproven = author && signed.author === undefined ? unknownPolicy(author) : noAuthor;
  const [dmarc, arc] = await Promise.all([
    proven ? checkDmarc(proven, spf, signed.signatures, budget) : unproven,
    checkArc(signed.arc, block, envelope.remoteAddress, budget),
  ]);
  budget.end();

  const authentication: Authentication = {
    spf,
    dkim: signed.signatures.map(({ gap: _, ...signature }) => ({ ...signature, aligned: dmarc.aligns(signature) })),
    dmarc: { result: dmarc.result, policy: dmarc.policy, aligned_by: dmarc.alignedBy },
    arc: { result: arc },
  };
  const passes = dmarc.result === "pass" || (dmarc.result === "none" && dmarc.alignedBy.length > 0);
  return {
    authentication,
    verified: passes,
    verifiedDomain: passes && proven ? proven.domain : null,
    domainCheck: domainCheck(authentication),
    authenticationResults: authenticationResults(authentication, {
      authservId: options.authservId,
      byHelo: envelope.mailFrom === "",
      fromDomain: author?.domain ?? null,
      dkimReasons: signed.signatures.map((signature) => signature.gap),
    }),
  };
}

interface Budget {
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** Whether a question had no answer that would hold for good. */
  trouble: boolean;
  /** The resolver, until there is only time left for arithmetic. */
  lookUp(name: string, type: string): Promise<never>;
  /** The work's result; `late` when the time is up first, `broken` when it throws. */
  within<T>(work: Promise<T>, late: T, broken: T): Promise<T>;
  end(): void;
}

function startBudget({ resolver, budgetMs, clock = systemClock }: AuthenticateOptions): Budget {
  const stop = new AbortController();
  const cancelStop = clock.after(budgetMs - Math.min(graceMsMax, budgetMs / 5), () => stop.abort());
  let cancelEnd = () => {};
  const end = new Promise<void>((resolve) => {
    cancelEnd = clock.after(budgetMs, resolve);
  });
  const budget: Budget = {
    startedAt: clock.now(),
    trouble: false,
    async lookUp(name, type) {
      try {
        // mailauth takes the shapes of node:dns, whatever its types say; `never` fits them all.
        return (await resolver.resolve(name, type as DnsType, { signal: stop.signal })) as never;
      } catch (error) {
        if (!(error instanceof DnsError) || error.temporary) budget.trouble = true;
        throw error;
      }
    },
    within: (work, late, broken) => Promise.race([work.catch(() => broken), end.then(() => late)]),
    end() {
      cancelStop();
      cancelEnd();
    },
  };
  return budget;
}

const spfResults: readonly string[] = ["pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"];

/** SPF of the reverse-path's domain, or of the HELO name when it is null (RFC 7208 2.3, 2.4). */
async function checkSpf(envelope: Envelope, mta: string, budget: Budget): Promise<Authentication["spf"]> {
  const { mailFrom, helo, remoteAddress } = envelope;
  const claimed = mailFrom === "" ? helo.toLowerCase() : (splitAddress(mailFrom)?.domain ?? mailFrom);
  const domain = asciiDomain(claimed) ?? printable(claimed);
  const checked = evaluateSpf({ sender: mailFrom, ip: remoteAddress, helo, mta, resolver: budget.lookUp });
  const named = checked.then(({ status }) => ({
    result: (spfResults.includes(status.result) ? status.result : "permerror") as SpfResult,
    domain,
  }));
  return budget.within(named, { result: "temperror", domain }, { result: "permerror", domain });
}

interface CheckedSignature extends SignatureName {
  result: DkimResult;
  /** Why a signature that verifies, or one that was not looked at, proves nothing. */
  gap: string | null;
}

interface Signed {
  signatures: CheckedSignature[];
  /** The one From address as mailauth reads it, in our spelling; null when it finds none or several. */
  author?: string | null;
  /** Null when there is nothing to evaluate. */
  arc?: ARCData | null;
}

const dkimResults: readonly string[] = ["pass", "fail", "neutral", "policy", "temperror", "permerror"];

async function checkDkim(raw: Uint8Array, block: HeaderBlock, author: Author | null, budget: Budget): Promise<Signed> {
  const { bytes, skipped } = selectSignatures(raw, block, author?.domain ?? null);
  const verified = dkimVerify(bytes, { resolver: budget.lookUp, curTime: new Date(budget.startedAt), strict: true });
  const named = verified.then((found): Signed => {
    const { headerFrom, fromFields, results, arc } = found;
    const [from] = headerFrom;
    const parts = fromFields === 1 && headerFrom.length === 1 && from ? splitAddress(from) : null;
    return {
      signatures: [
        ...results.filter((row) => row.status.result !== "none").map((row) => checkedSignature(row, block)),
        ...skipped.map((name) => ({ ...name, result: "policy" as const, gap: "too many or too long signatures" })),
      ],
      author: parts && `${parts.local}@${asciiDomain(parts.domain)}`,
      arc: (arc as ARCData | undefined) ?? null,
    };
  });
  return budget.within(named, unverified(block, "temperror", null), unverified(block, "permerror", null));
}

function checkedSignature(row: DKIMResult, block: HeaderBlock): CheckedSignature {
  const { result, testing, underSized } = row.status;
  const name = signatureFrom(row.signingDomain ?? "", row.selector ?? "", row.algo ?? "");
  if (result !== "pass") {
    return { ...name, result: (dkimResults.includes(result) ? result : "permerror") as DkimResult, gap: null };
  }
  const signedFields = (row.signingHeaders?.keys ?? "").toLowerCase().split(": ");
  const gap = proofGap({ testing, unsignedBodyBytes: underSized, signedFields }, block);
  return { ...name, result: gap ? "policy" : "pass", gap };
}

function unverified(block: HeaderBlock, result: DkimResult, gap: string | null): Signed {
  const signatures = signatureNames(block).map((name) => ({ ...name, result, gap }));
  return result === "temperror" ? { signatures } : { signatures, author: null, arc: null };
}

interface Alignment {
  result: DmarcResult;
  policy: Authentication["dmarc"]["policy"];
  /** Which passing checks align with the From domain; also when there is no record. */
  alignedBy: ("spf" | "dkim")[];
  /** Whether a signature's domain aligns with the From domain. */
  aligns(signature: Pick<CheckedSignature, "domain" | "result">): boolean;
}

/** No From, several, or one that cannot be read in only one way: DMARC has nothing to stand on (RFC 9989 5.3.1). */
const noAuthor: Alignment = { result: "permerror", policy: null, alignedBy: [], aligns: () => false };

const dmarcResults: readonly string[] = ["pass", "fail", "none", "temperror"];
const policies: readonly string[] = ["none", "quarantine", "reject"];

async function checkDmarc(
  author: Author,
  spf: Authentication["spf"],
  signatures: readonly CheckedSignature[],
  budget: Budget,
): Promise<Alignment> {
  const ours = ({ domain }: { domain: string }) => sameOrganization(domain, author.domain);
  const spfDomains = spf.result === "pass" && ours(spf) ? [spf.domain] : [];
  const dkimDomains = signatures.filter((signature) => signature.result === "pass" && ours(signature));
  const evaluated = evaluateDmarc({
    headerFrom: [author.address],
    fromFields: 1,
    spfDomains,
    dkimDomains,
    resolver: budget.lookUp,
    strict: true,
  });
  const named = evaluated.then((found): Alignment => {
    if (!found) return noAuthor;
    const result = (dmarcResults.includes(found.status.result) ? found.status.result : "permerror") as DmarcResult;
    const alignment = found.alignment as DMARCResult["alignment"] | undefined;
    const bySpf = result === "none" ? spfDomains.length > 0 : alignment?.spf.result !== undefined;
    const byDkim = result === "none" ? dkimDomains.length > 0 : alignment?.dkim.result !== undefined;
    return {
      result,
      policy: (policies.includes(found.policy) ? found.policy : null) as Alignment["policy"],
      alignedBy: [...(bySpf ? (["spf"] as const) : []), ...(byDkim ? (["dkim"] as const) : [])],
      aligns(signature) {
        if (alignment?.dkim.strict) return signature.domain === author.domain;
        return ours(signature) && (byDkim || signature.result !== "pass");
      },
    };
  });
  return budget.within(named, unknownPolicy(author), noAuthor);
}

/** The time was up before the From domain's policy, or who the author is, could be found out. */
function unknownPolicy({ domain: authorDomain }: Author): Alignment {
  const aligns = ({ domain }: { domain: string }) => sameOrganization(domain, authorDomain);
  return { result: "temperror", policy: null, alignedBy: [], aligns };
}

/** The chain's own state (RFC 8617 5.2); who sealed it is not asked, since nothing is built on it. */
async function checkArc(
  data: ARCData | null | undefined,
  block: HeaderBlock,
  ip: string,
  budget: Budget,
): Promise<ArcResult> {
  const sets = block.fields.filter((field) => field.key === "arc-seal").length;
  if (!block.fields.some((field) => field.key.startsWith("arc-"))) return "none";
  if (data === undefined) return "temperror";
  if (data === null || sets > arcSetsMax) return "permerror";
  const checked = evaluateArc(data, { resolver: budget.lookUp, strict: true, ip }).then(({ status }): ArcResult => {
    if (status.result === "pass" || status.result === "none") return status.result;
    return budget.trouble ? "temperror" : "fail";
  });
  return budget.within(checked, "temperror", "permerror");
}

/** The message with every bare LF made CRLF, which is what mailauth hashes anyway, but one await an LF later. */
function withCrlf(raw: Uint8Array): Uint8Array {
  let bare = 0;
  for (let i = 0; i < raw.length; i++) if (raw[i] === 0x0a && raw[i - 1] !== 0x0d) bare++;
  if (bare === 0) return raw;
  const out = new Uint8Array(raw.length + bare);
  let length = 0;
  for (let i = 0; i < raw.length; i++) {
    if (raw[i] === 0x0a && raw[i - 1] !== 0x0d) out[length++] = 0x0d;
    out[length++] = raw[i] as number;
  }
  return out;
}

/** Why a message is not worth verifying: work that is quadratic in the length of a line or a field. */
function obstacleIn(message: Uint8Array, block: HeaderBlock): string | null {
  let lineStart = 0;
  let headerLines = 0;
  for (let i = message.indexOf(0x0a); i >= 0; i = message.indexOf(0x0a, lineStart)) {
    if (i < block.bodyStart) headerLines++;
    if (i - lineStart > lineBytesMax) return "line too long";
    lineStart = i + 1;
  }
  if (message.length - lineStart > lineBytesMax) return "line too long";
  return block.cut || headerLines > headerLinesMax ? "header too large" : null;
}
