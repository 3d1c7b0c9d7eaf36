/**
 * SMTP replies: our refusals, and corrections of the library's replies. Every reply outside the greeting and EHLO
 * carries an enhanced status code (RFC 2034, RFC 3463).
 */
import { Failure } from "../util/errors.ts";

/** A refusal of one command. smtp-server builds its reply from `responseCode` and `message`. */
export class Refusal extends Error {
  override readonly name = "Refusal";

  /**
   * @param responseCode Basic code (RFC 5321 4.2); 421 also closes the connection.
   * @param enhanced Enhanced code of the same class (RFC 3463).
   * @param text One safe sentence for the client.
   */
  constructor(
    readonly responseCode: number,
    readonly enhanced: string,
    text: string,
  ) {
    super(`${enhanced} ${text}`);
  }
}

/** Converts what was thrown into a reply. Anything but a Refusal or a Failure is temporary and reveals nothing. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof Failure) return new Refusal(...error.smtp, error.message);
  return new Refusal(451, "4.3.0", "The server ran into an unexpected error; try again later");
}

/** RFC 5321 4.5.3.1.5: a reply line has at most 512 octets, code and CRLF included. */
const REPLY_TEXT_MAX_BYTES = 500;

/** Makes a reply text that fits its line, and is ASCII unless the transaction is SMTPUTF8 (RFC 6531 3.7.4.2). */
export function replyText(text: string, utf8: boolean): string {
  const line = text.replace(/[\x00-\x1f\x7f]+/g, " ");
  const shown = utf8 ? line : line.replace(/[^\x20-\x7e]/g, "?");
  if (Buffer.byteLength(shown) <= REPLY_TEXT_MAX_BYTES) return shown;
  const cut = Buffer.from(shown).subarray(0, REPLY_TEXT_MAX_BYTES).toString();
  // A character cut in half at the end decodes to U+FFFD.
  return cut.replace(/\ufffd$/, "");
}

/** Commands that are defined but not implemented here: 502, not 500 (RFC 5321 4.2.4). AUTH is never offered. */
const notImplemented = new Set("AUTH BDAT EXPN ETRN TURN ATRN SEND SOML SAML XCLIENT XFORWARD BURL LHLO".split(" "));

/** Replies of smtp-server whose enhanced code is missing or of the wrong class, by the end of their text. */
const corrections: readonly (readonly [basic: number, ending: string, text: string])[] = [
  [421, "Server shutting down", "4.3.2 The server is shutting down; try again later"],
  [421, "Timeout - closing connection", "4.4.2 Timeout: nothing was received for too long"],
  [421, "too many unrecognized commands", "4.7.0 Too many unrecognized commands"],
  [421, "HTTP requests not allowed", "4.7.0 This is SMTP, not HTTP"],
  [421, "Command line too long", "4.7.0 The command line is too long"],
  [500, "command not recognized", "5.5.2 Command not recognized"],
];

/**
 * Corrects smtp-server's reply to the one that we send. A text that starts with an enhanced code keeps it
 * (`own: true`), because smtp-server would put a second one in front.
 * @param command The command that was answered, if the library says so.
 */
export function correctedReply(
  basic: number,
  text: string,
  command: string | false | undefined,
): { basic: number; text: string; own: boolean } {
  if (basic === 500 && typeof command === "string" && notImplemented.has(command))
    return { basic: 502, text: `5.5.1 ${command} is not offered here`, own: true };
  const correction = corrections.find(([code, ending]) => code === basic && text.endsWith(ending));
  if (correction) return { basic, text: correction[2], own: true };
  return { basic, text, own: /^[245]\.\d{1,3}\.\d{1,3} /.test(text) };
}
