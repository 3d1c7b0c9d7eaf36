import type { ARCData, DKIMResult, DMARCResult } from "mailauth";
import { arc as evaluateArc } from "mailauth/lib/arc/index.js";
import { dmarc as evaluateDmarc } from "mailauth/lib/dmarc/index.js";
import { spf as evaluateSpf } from "mailauth/lib/spf/index.js";
import type { ArcResult, Authentication, DkimResult, DmarcResult, Envelope, SpfResult, Verdict } from "../mail.ts";
import { splitAddress } from "../mail.ts";
import { singleAuthor } from "../message/author.ts";
import { asBuffer, type HeaderBlock, scanHeaders, type WholeHeader } from "../message/headers.ts";
import { hasTextInHeader, scanStructure } from "../message/mime/structure.ts";
import { DnsError, type DnsType, type Resolver } from "../net/dns.ts";
import { asciiLabels, type HostName, hostName, sameOrganization } from "../net/host-name.ts";
import { type Clock, systemClock } from "../util/clock.ts";
import { authenticationResults, domainCheck } from "./authentication-results.ts";
import { verifyDkim } from "./dkim-verify.ts";
import {
  isReadAlike,
  proofGap,
  type SignatureName,
  selectSignatures,
  signatureFrom,
  signatureNames,
  unsignedFields,
  type VerifiedSignature,
} from "./signatures.ts";

export interface AuthenticateOptions {
  resolver: Resolver;
  /** Time for the whole verification, including DNS. Anything unknown by then is `temperror`. */
  budgetMs: number;
  /** The name in our Authentication-Results field (RFC 8601 2.5). */
  authservId: string;
  /**
   * Whether this server hosts the domain. Mail from outside that claims such a domain needs a pass of SPF or DKIM for
   * exactly that name. A rejection or a late answer counts as yes. Default: no domain is hosted.
   */
  isHosted?: IsHosted;
  /**
   * Whether the message is known to say something else without the white space that relaxed canonicalization ignores.
   * Relaxed signatures then prove nothing. Default: its parts are looked at, not its words.
   */
  dependsOnSpaces?: boolean;
  /** The message's header, if the caller has scanned it to its end. */
  block?: WholeHeader | null;
  clock?: Clock;
}

/** Plain data in and out, so that another process can ask. `domain` is in lower-case A-labels. */
export type IsHosted = (domain: string) => Promise<boolean>;

/** The From address, if its domain can be looked up in DNS. */
interface Author {
  address: string;
  domain: HostName;
}

/**
 * Beyond these limits, mailauth's header parser, which is quadratic in the lines of a field, costs more than a message
 * may. Readers see at least as many fields, including ours on top.
 */
const headerLimits = { bytesMax: 256 * 1024, fieldsMax: 900 };
const HEADER_LINES_MAX = 5_000;
/** RFC 5321 4.5.3.1.6 allows 1,000. Beyond this, relaxed canonicalization gets slower than the rest of the work. */
const LINE_BYTES_MAX = 1024 * 1024;
/** Each set costs a key look-up and a verification. Real mail has one to three. */
const ARC_SETS_MAX = 10;
/** The part of the budget that is left for computation when DNS is given up. */
const GRACE_MS_MAX = 200;

/**
 * Checks SPF, DKIM, DMARC and ARC of one message and says whether its From domain is proven (RFC 7208, 6376, 9989,
 * 8617).
 *
 * A message is verified if it has exactly one plain From address, and DMARC passes, or the domain has no DMARC record
 * and an SPF or DKIM pass aligns with it. Alignment must hold by the Public Suffix List as well as by DMARC's tree
 * walk, so that a tenant of a shared domain cannot speak for its landlord. For a domain hosted here, alignment must be
 * strict, whatever DNS says. Names that are not host names (HELO, MAIL FROM, `d=`) are never looked up, prove nothing
 * and align with nothing. Signatures that cover less than the message count as `policy`, not as a pass (see
 * `proofGap`). ARC is reported and proves nothing.
 *
 * Plain data in and out, no state. Never throws, and returns within the budget.
 */
export async function authenticate(
  raw: Uint8Array,
  envelope: Envelope,
  options: AuthenticateOptions,
): Promise<Verdict> {
  const budget = startBudget(options);
  const message = withCrlf(asBuffer(raw));
  const known =
    options.block && options.block.bodyStart <= headerLimits.bytesMax && message.byteLength === raw.byteLength;
  const block = (known && options.block) || scanHeaders(message, headerLimits);
  const obstacle = obstacleIn(message, block);
  const author = obstacle ? null : authorOf(block);
  const hosted = author ? budget.within(isHosted(options, author), true, true) : false;
  // DMARC's first question is already known. Its answer arrives while the other checks run.
  if (author) budget.lookUp(`_dmarc.${author.domain}`, "TXT").catch(() => {});

  const [spf, signed] = await Promise.all([
    checkSpf(envelope, options.authservId, budget),
    obstacle ? unverified(block, "policy", obstacle) : checkDkim(message, block, author, options, budget),
  ]);
  const proven = author && signed.author === author.address ? author : null;
  const unproven = author && signed.author === undefined ? unknownPolicy(author) : noAuthor;
  const [dmarc, arc] = await Promise.all([
    proven ? checkDmarc(proven, spf, signed.signatures, hosted, budget) : unproven,
    checkArc(signed.arc, block, envelope.remoteAddress, budget),
  ]);
  budget.end();

  const passes = dmarc.result === "pass" || (dmarc.result === "none" && dmarc.alignedBy.length > 0);
  const proving = signed.signatures.filter((signature) => signature.result === "pass" && dmarc.aligns(signature));
  const authentication: Authentication = {
    spf: { result: spf.result, domain: spf.domain ?? "" },
    dkim: signed.signatures.map((signature) => ({
      result: signature.result,
      domain: signature.domain ?? "",
      selector: signature.selector,
      algorithm: signature.algorithm,
      aligned: dmarc.aligns(signature),
    })),
    dmarc: { result: dmarc.result, policy: dmarc.policy, aligned_by: dmarc.alignedBy },
    arc: { result: arc },
    unsigned: passes && !dmarc.alignedBy.includes("spf") ? unsignedFields(proving, block) : [],
  };
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

function authorOf(block: HeaderBlock): Author | null {
  const author = singleAuthor(block);
  const domain = author && hostName(author.domain);
  return author && domain ? { address: author.address, domain } : null;
}

async function isHosted(options: AuthenticateOptions, { domain }: Author): Promise<boolean> {
  return (await options.isHosted?.(domain)) ?? false;
}

interface Budget {
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** Whether a question got no final answer. */
  trouble: boolean;
  /** Asks the resolver, until only the time for computation is left. */
  lookUp(name: string, type: string): Promise<never>;
  /** Whether mailauth has asked for exactly this name. */
  asked(name: string): boolean;
  /** Whether a question about this name got no final answer. */
  isOpen(name: string): boolean;
  /** The work's result; `late` if the time is up first, `broken` if it throws. */
  within<T>(work: Promise<T>, late: T, broken: T): Promise<T>;
  end(): void;
}

function startBudget({ resolver, budgetMs, clock = systemClock }: AuthenticateOptions): Budget {
  const stop = new AbortController();
  const cancelStop = clock.after(budgetMs - Math.min(GRACE_MS_MAX, budgetMs / 5), () => stop.abort());
  let cancelEnd = () => {};
  const end = new Promise<void>((resolve) => {
    cancelEnd = clock.after(budgetMs, resolve);
  });
  const asked = new Set<string>();
  const open = new Set<string>();
  const budget: Budget = {
    startedAt: clock.now(),
    trouble: false,
    asked: (name) => asked.has(name),
    isOpen: (name) => open.has(name),
    async lookUp(name, type) {
      // A-labels and macros are ASCII. A name that the resolver would have to convert first is not the name that is
      // compared.
      if (/[^\x20-\x7e]/.test(name)) throw new DnsError("EBADNAME", type, name);
      asked.add(name.toLowerCase());
      try {
        // mailauth expects the results of node:dns, whatever its types say; `never` fits them all.
        return (await resolver.resolve(name, type as DnsType, { signal: stop.signal })) as never;
      } catch (error) {
        if (!(error instanceof DnsError) || error.temporary) {
          budget.trouble = true;
          open.add(name.toLowerCase());
        }
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

interface SpfCheck {
  result: SpfResult;
  /** The name that was evaluated; null if the client gave none. */
  domain: HostName | null;
}

/**
 * Checks SPF for the domain of the reverse-path, or for the HELO name if the reverse-path is null (RFC 7208 2.3, 2.4).
 * A name that is not a host name gives `none` (4.3) without asking mailauth. mailauth gets the checked name and
 * evaluates no other.
 */
async function checkSpf(envelope: Envelope, mta: string, budget: Budget): Promise<SpfCheck> {
  const { mailFrom, remoteAddress } = envelope;
  const at = mailFrom.lastIndexOf("@");
  const helo = hostName(envelope.helo);
  const domain = mailFrom === "" ? helo : at > 0 ? hostName(mailFrom.slice(at + 1)) : null;
  if (domain === null) return { result: "none", domain };
  const sender = `${mailFrom === "" ? "postmaster" : mailFrom.slice(0, at)}@${domain}`;
  // Without a name, mailauth uses the client's address (macro h, RFC 7208 7.2).
  const question = { sender, ip: remoteAddress, helo: helo ?? "", mta, resolver: budget.lookUp, strict: true };
  const checked = evaluateSpf(question);
  const named = checked.then(
    ({ status }): SpfCheck => ({
      result: (spfResults.includes(status.result) ? status.result : "permerror") as SpfResult,
      domain,
    }),
  );
  return budget.within(named, { result: "temperror", domain }, { result: "permerror", domain });
}

interface CheckedSignature extends SignatureName {
  result: DkimResult;
  /** Why a signature that verifies, or one that was not checked, proves nothing. */
  gap: string | null;
  /** For a signature that passes: lower-cased names of the signed fields, one per signed occurrence. */
  signedFields: string[];
}

interface Signed {
  signatures: CheckedSignature[];
  /** The one From address as mailauth reads it, in our spelling; null if it finds none or several. */
  author?: string | null;
  /** Null if there is nothing to evaluate. */
  arc?: ARCData | null;
}

const dkimResults: readonly string[] = ["pass", "fail", "neutral", "policy", "temperror", "permerror"];

async function checkDkim(
  raw: Uint8Array,
  block: HeaderBlock,
  author: Author | null,
  { dependsOnSpaces: wordsDependOnSpaces = false }: AuthenticateOptions,
  budget: Budget,
): Promise<Signed> {
  const { bytes, skipped } = selectSignatures(raw, block, author?.domain ?? null);
  const bodyStart = bytes.byteLength - (raw.byteLength - block.bodyStart);
  const options = { resolver: budget.lookUp, curTime: new Date(budget.startedAt), strict: true };
  const verified = verifyDkim(bytes, bodyStart, options);
  const named = verified.then((found): Signed => {
    const { headerFrom, fromFields, results, arc } = found;
    const passes = results.some((row) => row.status.result === "pass");
    const message = {
      // A verifier takes words at the end of the header for a part of the last field, which may not be signed.
      isReadAlike: isReadAlike(found.fields, raw, block) && !hasTextInHeader(raw, block),
      partsDependOnSpaces: passes && dependsOnSpaces(raw, block),
      wordsDependOnSpaces,
    };
    const [from] = headerFrom;
    const parts = fromFields === 1 && headerFrom.length === 1 && from ? splitAddress(from) : null;
    const domain = parts && hostName(parts.domain);
    return {
      signatures: [
        ...results
          .filter((row) => row.status.result !== "none")
          .map((row) => checkedSignature(row, block, message, budget)),
        ...skipped.map((name) => unchecked(name, "policy", "too many or too long signatures")),
      ],
      author: parts && domain && `${parts.local}@${domain}`,
      arc: (arc as ARCData | undefined) ?? null,
    };
  });
  return budget.within(named, unverified(block, "temperror", null), unverified(block, "permerror", null));
}

/** A boundary has at most 70 characters (RFC 2046 5.1.1). */
const DELIMITER_CHARS_MAX = 80;
/** Far more than honest senders use. */
const structureLimits = { maxParts: 10_000, maxDepth: 100, maxHeaderBytes: 8 * 1024 * 1024 };

/** Whether white space that relaxed canonicalization ignores (RFC 6376 3.4.4) decides what the message's parts are. */
function dependsOnSpaces(raw: Uint8Array, block: HeaderBlock): boolean {
  const body = asBuffer(raw).subarray(block.bodyStart);
  if (!body.includes(" \r\n") && !body.includes("\t\r\n") && !hasSpacedDashes(body)) return false;
  return scanStructure(raw, block, structureLimits).dependsOnSpaces;
}

/** Whether any line begins with two hyphens and contains white space, like the delimiters of some mail programs. */
function hasSpacedDashes(body: Buffer): boolean {
  const isSpaced = (at: number) => /^--[^\n]*[ \t]/.test(body.toString("latin1", at, at + DELIMITER_CHARS_MAX));
  for (let lf = body.indexOf("\n--"); lf >= 0; lf = body.indexOf("\n--", lf + 1)) if (isSpaced(lf + 1)) return true;
  return isSpaced(0);
}

function checkedSignature(
  row: DKIMResult,
  block: HeaderBlock,
  message: Pick<VerifiedSignature, "isReadAlike" | "partsDependOnSpaces" | "wordsDependOnSpaces">,
  budget: Budget,
): CheckedSignature {
  const { result, testing, underSized } = row.status;
  const name = signatureFrom(row.signingDomain ?? "", row.selector ?? "", row.algo ?? "");
  // The name that is compared must be the one whose key was fetched, byte for byte.
  const keyName = `${asciiLabels(row.selector ?? "")}._domainkey.${name.domain}`;
  // Asking again for a name that DNS cannot hold does not help.
  if (result === "temperror" && !budget.isOpen(keyName)) return unchecked(name, "permerror");
  if (result !== "pass") return unchecked(name, dkimResults.includes(result) ? (result as DkimResult) : "permerror");
  if (name.domain === null || !budget.asked(keyName)) return unchecked(name, "policy", "domain is not a host name");
  if (exceedsBody(row)) return unchecked(name, "fail");
  const signedFields = (row.signingHeaders?.keys ?? "").toLowerCase().split(": ");
  const isRelaxed = /relaxed/i.test(row.format ?? "");
  const gap = proofGap({ testing, unsignedBodyBytes: underSized, signedFields, isRelaxed, ...message }, block);
  return { ...name, result: gap ? "policy" : "pass", gap, signedFields };
}

/** Whether l= counts more bytes than the body has: some of what was signed is missing (RFC 6376 3.5, 3.4.5). */
function exceedsBody({ canonBodyLengthLimit = 0, canonBodyLengthTotal = 0 }: DKIMResult): boolean {
  return canonBodyLengthLimit > canonBodyLengthTotal;
}

function unchecked(name: SignatureName, result: DkimResult, gap: string | null = null): CheckedSignature {
  return { ...name, result, gap, signedFields: [] };
}

function unverified(block: HeaderBlock, result: DkimResult, gap: string | null): Signed {
  const signatures = signatureNames(block).map((name) => unchecked(name, result, gap));
  return result === "temperror" ? { signatures } : { signatures, author: null, arc: null };
}

interface Alignment {
  result: DmarcResult;
  policy: Authentication["dmarc"]["policy"];
  /** The passing checks that align with the From domain, even without a DMARC record. */
  alignedBy: ("spf" | "dkim")[];
  /** Whether a signature's domain aligns with the From domain. */
  aligns(signature: Pick<CheckedSignature, "domain" | "result">): boolean;
}

/** No From, several, or one that can be read in more than one way: DMARC has nothing to evaluate (RFC 9989 5.3.1). */
const noAuthor: Alignment = { result: "permerror", policy: null, alignedBy: [], aligns: () => false };

const dmarcResults: readonly string[] = ["pass", "fail", "none", "temperror"];
const policies: readonly string[] = ["none", "quarantine", "reject"];

async function checkDmarc(
  author: Author,
  spf: SpfCheck,
  signatures: readonly CheckedSignature[],
  hosted: boolean | Promise<boolean>,
  budget: Budget,
): Promise<Alignment> {
  // For a hosted domain we require strict alignment (RFC 9989 4.7 adkim, aspf), whatever its record says.
  const relates = (await hosted) ? (a: HostName, b: HostName) => a === b : sameOrganization;
  const ours = ({ domain }: { domain: HostName | null }) => domain !== null && relates(domain, author.domain);
  const spfDomains = spf.result === "pass" && spf.domain !== null && ours(spf) ? [spf.domain] : [];
  const dkimDomains = signatures.flatMap((signature) =>
    signature.result === "pass" && signature.domain !== null && ours(signature) ? [{ domain: signature.domain }] : [],
  );
  // A check that DNS left open may be the one that passes when the message is offered again.
  const mayPass = (alignment?: DMARCResult["alignment"]) => {
    const isOpen = (check: { result: string; domain: HostName | null }, isStrict = false) =>
      check.result === "temperror" && ours(check) && (!isStrict || check.domain === author.domain);
    return isOpen(spf, alignment?.spf.strict) || signatures.some((one) => isOpen(one, alignment?.dkim.strict));
  };
  const evaluated = evaluateDmarc({
    // mailauth accepts a bare domain, so it has no address that it could read differently.
    headerFrom: [author.domain],
    fromFields: 1,
    spfDomains,
    dkimDomains,
    resolver: budget.lookUp,
    strict: true,
  });
  const named = evaluated.then((found): Alignment => {
    if (!found) return noAuthor;
    const said = (dmarcResults.includes(found.status.result) ? found.status.result : "permerror") as DmarcResult;
    const alignment = found.alignment as DMARCResult["alignment"] | undefined;
    const result = said === "fail" && mayPass(alignment) ? "temperror" : said;
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

/** The time was up before the From domain's policy, or the author, was known. */
function unknownPolicy({ domain: authorDomain }: Author): Alignment {
  const aligns = ({ domain }: Pick<SignatureName, "domain">) =>
    domain !== null && sameOrganization(domain, authorDomain);
  return { result: "temperror", policy: null, alignedBy: [], aligns };
}

/** The state of the chain itself (RFC 8617 5.2). The sealers do not matter, because nothing relies on the chain. */
async function checkArc(
  data: ARCData | null | undefined,
  block: HeaderBlock,
  ip: string,
  budget: Budget,
): Promise<ArcResult> {
  const sets = block.fields.filter((field) => field.key === "arc-seal").length;
  if (!block.fields.some((field) => field.key.startsWith("arc-"))) return "none";
  if (data === undefined) return "temperror";
  if (data === null || sets > ARC_SETS_MAX) return "permerror";
  const checked = evaluateArc(data, { resolver: budget.lookUp, strict: true, ip }).then(({ status }): ArcResult => {
    if (status.result === "pass" || status.result === "none") return status.result;
    return budget.trouble ? "temperror" : "fail";
  });
  return budget.within(checked, "temperror", "permerror");
}

/** Converts every bare LF to CRLF, as the message is signed. Returns the same buffer if there is none. */
function withCrlf(raw: Buffer): Buffer {
  let bare = 0;
  for (let i = raw.indexOf(0x0a); i >= 0; i = raw.indexOf(0x0a, i + 1)) if (raw[i - 1] !== 0x0d) bare++;
  if (bare === 0) return raw;
  const out = Buffer.allocUnsafeSlow(raw.length + bare);
  let length = 0;
  for (let i = 0; i < raw.length; i++) {
    if (raw[i] === 0x0a && raw[i - 1] !== 0x0d) out[length++] = 0x0d;
    out[length++] = raw[i] as number;
  }
  return out;
}

/**
 * Returns why a message is not worth verifying, or null: the work would be quadratic in the length of a line or a
 * field, or readers see less of the header than verifiers.
 */
function obstacleIn(message: Buffer, block: HeaderBlock): string | null {
  let headerLines = 0;
  for (let at = message.indexOf(0x0a); at >= 0 && at < block.bodyStart; at = message.indexOf(0x0a, at + 1))
    headerLines++;
  // The first line would continue the field that the next host puts on top, and so disappear.
  if (message[0] === 0x20 || message[0] === 0x09) return "header begins with white space";
  if (hasLongLine(message)) return "line too long";
  return block.cut || headerLines > HEADER_LINES_MAX ? "header too large" : null;
}

/** Looks back from the longest allowed line's end for a line end, so that short lines cost nothing. */
function hasLongLine(message: Buffer): boolean {
  for (let start = 0; message.length - start > LINE_BYTES_MAX; ) {
    const end = message.lastIndexOf(0x0a, start + LINE_BYTES_MAX);
    if (end < start) return true;
    start = end + 1;
  }
  return false;
}
