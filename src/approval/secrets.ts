/** One kind of secret. */
interface Secret {
  /** As a sentence names it: "what looks like …". */
  kind: string;
  /**
   * Every secret of this kind contains one of these texts. Most mail contains none, and is not searched further. What has
   * white space is also there without it.
   */
  marks: string[];
  /**
   * Every part has an upper bound or starts at a distinct place, so that the time is linear in the text. Most patterns
   * have no boundary in front, because a tag or a line break may have joined a word to the secret. Patterns are shorter
   * than the real secrets if they are still unmistakable, because line wrapping cuts long tokens.
   */
  pattern: RegExp;
  /** The marks and the pattern ignore case. */
  anyCase?: true;
  /** The group that holds the secret itself, which examples replace with a dummy value; the whole match if absent. */
  secretGroup?: number;
}

/**
 * Formats that their issuers document, as far as public scanners of source code agree on them (gitleaks,
 * detect-secrets), and the few forms in which people write passwords. A plain hexadecimal number does not count as a
 * secret.
 */
const secrets: Secret[] = [
  {
    kind: "a private key",
    marks: ["PRIVATE", "b3BlbnNzaC1rZXktdjE", "PuTTY-User-Key-File-", "AGE-SECRET-KEY-1"],
    // RFC 7468, RFC 4716, RFC 9580; the first line of an OpenSSH key in base64.
    pattern:
      /BEGIN\s{1,9}(?:(?:RSA|DSA|EC|OPENSSH|ENCRYPTED|PGP|ANY|SSH2\s{1,9}ENCRYPTED)\s{1,9})?PRIVATE\s{1,9}KEY|b3BlbnNzaC1rZXktdjE|PuTTY-User-Key-File-[23]|AGE-SECRET-KEY-1[A-Z0-9]{40}/g,
  },
  {
    kind: "an AWS access key",
    marks: ["AKIA", "ASIA", "ABIA", "ACCA"],
    pattern: /(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}/g,
  },
  {
    kind: "an AWS secret key",
    marks: ["secretaccesskey", "secret_access_key", "secret access key", "aws_secret_key"],
    pattern: /secret[_ ]?(?:access[_ ]?)?key["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9/+]{40})/gi,
    anyCase: true,
    secretGroup: 1,
  },
  {
    kind: "a GitHub token",
    marks: ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
    pattern: /gh[pousr]_[A-Za-z0-9]{30}|github_pat_\w{30}/g,
  },
  {
    kind: "a GitLab token",
    marks: ["gl", "GR1348941"],
    pattern: /gl(?:pat|dt|rt|ptt|cbt|ft|oas|soat|agent|imt|ffct)-[\w-]{20}|GR1348941[\w-]{20}/g,
  },
  {
    kind: "a Slack token",
    marks: ["xox", "xapp-"],
    pattern: /xox[abeoprs]-[\w-]{20}|xapp-\d-[A-Z0-9]{8,20}-\d{8}/g,
  },
  {
    kind: "the secret address of a chat webhook",
    marks: ["hooks.slack.com/", "/api/webhooks/"],
    pattern:
      /hooks\.slack\.com\/(?:services|workflows|triggers)\/[\w/]{30}|discord(?:app)?\.com\/api\/webhooks\/\d{15,20}\/[\w-]{40}/g,
  },
  { kind: "a Stripe key", marks: ["k_live_", "k_prod_"], pattern: /[sr]k_(?:live|prod)_[A-Za-z0-9]{16}/g },
  { kind: "a webhook signing secret", marks: ["whsec_"], pattern: /whsec_[A-Za-z0-9+/]{24}/g },
  {
    kind: "a Google key",
    marks: ["AIza", "GOCSPX-", "ya29."],
    pattern: /AIza[\w-]{35}|GOCSPX-[\w-]{24}|ya29\.[\w-]{30}/g,
  },
  { kind: "an Anthropic key", marks: ["sk-ant-"], pattern: /sk-ant-[\w-]{24}/g },
  {
    kind: "an OpenAI key",
    marks: ["sk-proj-", "sk-svcacct-", "sk-admin-", "T3BlbkFJ"],
    pattern: /sk-(?:proj|svcacct|admin)-[\w-]{24}|sk-[A-Za-z0-9]{20}T3BlbkFJ/g,
  },
  {
    kind: "an AI service's key",
    marks: ["sk-", "hf_", "gsk_", "xai-", "pplx-", "r8_"],
    pattern:
      /(?<![A-Za-z0-9])sk-(?:or-v1-)?[A-Za-z0-9]{32}|hf_[A-Za-z0-9]{34}|gsk_[A-Za-z0-9]{40}|xai-[A-Za-z0-9]{40}|pplx-[A-Za-z0-9]{40}|r8_[A-Za-z0-9]{37}/g,
  },
  { kind: "a key of this server", marks: ["e2a_"], pattern: /e2a_[0-9a-f]{40}/g },
  {
    kind: "a package registry's token",
    marks: ["npm_", "pypi-", "rubygems_", "dckr_"],
    pattern: /npm_[A-Za-z0-9]{30}|pypi-AgE[\w-]{30}|rubygems_[0-9a-f]{40}|dckr_[po]at_[\w-]{20}/g,
  },
  {
    kind: "a mail or telephone service's key",
    marks: ["SG.", "SK", "key-", "-us", "xkeysib-", "re_"],
    // SendGrid, Twilio, Mailgun, Mailchimp, Brevo, Resend.
    pattern:
      /SG\.[\w-]{20,24}\.[\w-]{20}|(?<![A-Za-z0-9])SK[0-9a-f]{32}|(?<![A-Za-z0-9])key-[0-9a-f]{32}|[0-9a-f]{32}-us\d{1,2}|xkeysib-[0-9a-f]{40}|re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20}/g,
  },
  { kind: "a Telegram bot token", marks: [":AA"], pattern: /\d{8,10}:AA[\w-]{32}/g },
  {
    kind: "an API token",
    marks: [
      "shp",
      "do",
      "hvs.",
      "hvb.",
      "lin_api_",
      "ntn_",
      "ATATT3",
      "PMAK-",
      "dapi",
      "glsa_",
      "sntry",
      "Q~",
      "AccountKey=",
    ],
    // Shopify, DigitalOcean, Vault, Linear, Notion, Atlassian, Postman, Databricks, Grafana, Sentry, Azure.
    pattern:
      /shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|do[opr]_v1_[0-9a-f]{40}|hv[sb]\.[\w-]{24}|lin_api_[A-Za-z0-9]{30}|ntn_[A-Za-z0-9]{40}|ATATT3[\w=-]{40}|PMAK-[0-9a-f]{24}|(?<![A-Za-z0-9])dapi[0-9a-f]{32}|glsa_[A-Za-z0-9]{32}|sntry[su]_\w{40}|[\w~.]{3}\dQ~[\w~.-]{31}|AccountKey=[A-Za-z0-9+/]{60}/g,
  },
  {
    kind: "a JSON web token",
    marks: [".eyJ"],
    // RFC 7519: two parts that begin with {" in base64url. Dots separate the parts, so no character is read twice.
    pattern: /(?<=eyJ[\w-]{10,500})\.eyJ[\w-]{10}/g,
  },
  {
    kind: "a URL with a password",
    marks: ["://"],
    pattern: /[a-z]:\/\/[^\s:@/?#"'<>]{0,100}:([^\s@/"'<>]{3,200})@[\w[]/gi,
    secretGroup: 1,
  },
  {
    kind: "a password",
    marks: ["password", "passwd", "passphrase", "api", "secret", "token", "authorization"],
    pattern:
      /(?:password|passwd|passphrase|api[_ -]?key|secret[_ -]?key|client[_ -]?secret|(?:access|auth|api|bearer)[_ -]?token|authorization\s{0,3}[:=]\s{0,3}(?:basic|bearer))["'*]{0,3}(?:\s{0,3}[:=]|\s{1,3}is:?|(?<=basic|bearer))\s{0,5}["'`*]{0,3}((?!https?:)[^\s"'`<>*]{8,100})/gi,
    anyCase: true,
    secretGroup: 1,
  },
];

/** What people write in place of a secret. */
const placeholder =
  /^(?:password|passwd|pass|secret|token|key)\W*$|example|placeholder|your|change_?me|redacted|x{4}|\*{3}|\.{3}|\$\{|\{\{|123456789/i;
/** Random text of this length has more different characters; `AAAA…` and `xxxx…` do not. */
const DIFFERENT_CHARS_MIN = 6;
/** Digits in a token of about thirty characters whose spaces were removed. Prose that merely ran together has fewer. */
const SQUEEZED_DIGITS_MIN = 3;

/**
 * Finds the kinds of secrets that a text seems to hold, as it is or with white space inside, each once, as a sentence
 * names them ("a GitHub token"); never the secrets themselves.
 */
export function secretKinds(text: string): string[] {
  const squeezed = squeeze(text);
  const lower = squeezed.toLowerCase();
  // A mark that the text has, it has without white space too.
  const likely = secrets.filter(({ marks, anyCase }) =>
    marks.some((mark) => (anyCase ? lower : squeezed).includes(mark)),
  );
  const has = (secret: Secret, one: string, isSqueezed: boolean) =>
    one.matchAll(secret.pattern).some((match) => isSecret(secret, match, isSqueezed));
  return likely
    .filter((secret) => has(secret, text, false) || (secret.secretGroup === undefined && has(secret, squeezed, true)))
    .map(({ kind }) => kind);
}

/** The text without white space and quote marks at the beginnings of lines. */
function squeeze(text: string): string {
  return text.replace(/\n[> \t]*/g, "").replace(/\s+/g, "");
}

/** `squeezed`: all white space was removed, so words have run together and more proof is needed. */
function isSecret({ kind, secretGroup }: Secret, match: RegExpExecArray, squeezed: boolean): boolean {
  // A fixed line of a file format, which has no random part.
  if (kind === "a private key" && /^[BPb]/.test(match[0])) return true;
  const random = match[secretGroup ?? 0] ?? "";
  if (placeholder.test(random) || new Set(random.slice(-20)).size < Math.min(DIFFERENT_CHARS_MIN, random.length))
    return false;
  if (kind === "a password" && !(/\d/.test(random) && /\p{L}/u.test(random))) return false;
  return !squeezed || random.replace(/\D/g, "").length >= SQUEEZED_DIGITS_MIN;
}
