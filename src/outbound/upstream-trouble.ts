/** Explains to people why an upstream cannot be used, or what it said: one line, with the cause and the remedy. */
import type { NodemailerError } from "nodemailer";
import type { UpstreamSettings } from "./upstream-settings.ts";

/** Characters kept and shown of a reply; real ones are one to three lines of at most 512 bytes (RFC 5321 4.5.3.1.5). */
const REPLY_CHARS = 500;

/**
 * A server's reply as one line of at most 500 characters, without control or direction characters. The code of a
 * multi-line reply appears once.
 */
export function oneLine(reply: string): string {
  const text = reply.includes("\n") ? reply.replace(/^(\d{3})-/, "$1 ").replace(/\r?\n(\d{3}[- ])?/g, " ") : reply;
  return text
    .replace(/[\s\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g, " ")
    .trim()
    .slice(0, REPLY_CHARS)
    .toWellFormed();
}

/** The step of setting up a connection that failed; `greeting`: connected, but no greeting came. */
export type SetUpStep = "connect" | "greeting" | "sign-in";

/** One or two sentences: host:port, what happened, what to do. Never includes the user name or the password. */
export function explainUnreachable(error: NodemailerError, step: SetUpStep, settings: UpstreamSettings): string {
  const { name } = settings;
  const said = error.response ? ` (${withoutSecrets(oneLine(error.response), settings)})` : "";
  if (step === "sign-in" && error.response && !error.response.startsWith("421"))
    return `${name} did not accept the sign-in${said}. Check user name and password of this upstream.`;
  const system = error.originalCode ?? error.code ?? "";
  const certificate = certificateTrouble(system);
  if (certificate) return `${name} shows a certificate ${certificate}`;
  if (error.command === "STARTTLS")
    return `${name} does not offer STARTTLS${said}. Mail and password are not sent in clear text: use the port for submission (587), or tls "implicit" (465).`;
  if (error.code === "EDNS") return `${name} is not found in DNS (${system}). Check the host name of this upstream.`;
  if (system === "ECONNREFUSED")
    return `${name} refused the connection. Check host and port, and that the server is running.`;
  if (/SSL|TLS_|WRONG_VERSION|ETLS|EPROTO$/.test(system))
    return `${name} did not finish the TLS handshake (${oneLine(system)}). Check that port and tls mode of this upstream fit: 587 "starttls", 465 "implicit".`;
  if (error.code === "ETIMEDOUT") {
    const waited = `${settings.timeoutMs / 1000} s`;
    return step === "greeting" && settings.tls !== "implicit"
      ? `${name} sent no greeting within ${waited}. If it expects TLS from the first byte (port 465), set tls "implicit".`
      : `${name} did not answer within ${waited}. Check host and port; many networks block outgoing mail ports.`;
  }
  if (error.response) return `${name} does not accept mail at the moment${said}. Try again later, or ask its operator.`;
  if (error.code === "ECONNECTION" || /^E(CONNRESET|PIPE)$/.test(system))
    return `${name} closed the connection before it accepted any mail. Check port and tls mode, and whether this host may connect.`;
  return `${name} cannot be reached (${oneLine(system || "no cause given")}). Check host and port, and the network.`;
}

/** Why a certificate is not trusted, by OpenSSL's names, and the remedy. Null for any other error. */
function certificateTrouble(code: string): string | null {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "for a different name. Set the host of this upstream to the name in its certificate.";
  if (code === "CERT_HAS_EXPIRED") return "that has expired. Its owner has to renew it.";
  if (code === "CERT_NOT_YET_VALID") return "that is not valid yet. Check the clocks of both machines.";
  if (/SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|CERT_UNTRUSTED|ERR_TLS_CERT|CERT_/.test(code))
    return `from an unknown authority (${code}). If you trust it, set ca_file to the certificate of that authority.`;
  return null;
}

/** Some servers repeat the user name in their refusal; then only the reply codes are shown. */
function withoutSecrets(reply: string, { username, password }: UpstreamSettings): string {
  const plain = [username, password].filter((secret) => secret !== null && secret !== "") as string[];
  // As sent on the wire: LOGIN sends them one by one, PLAIN together (RFC 4616).
  const sent = [...plain, `\0${username}\0${password}`].map((text) => Buffer.from(text).toString("base64"));
  const isLeaking = [...plain, ...sent].some((secret) => reply.toLowerCase().includes(secret.toLowerCase()));
  return isLeaking ? (/^\d{3}( \d\.\d{1,3}\.\d{1,3})?/.exec(reply)?.[0] ?? "reply withheld") : reply;
}
