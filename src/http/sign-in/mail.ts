import { randomBytes } from "node:crypto";
import { tokenHash } from "../../accounts.ts";
import { captureLane, type Routes } from "../../outbound/routes.ts";
import type { WriteServerMail } from "../../outbound/server-mail.ts";
import type { Store } from "../../store/store.ts";
import type { Clock } from "../../util/clock.ts";
import type { Log } from "../../util/log.ts";

/** Long enough for slow mail; short enough for a link in a mailbox. */
const LINK_LIFETIME_MS = 15 * 60_000;

export interface SignInMailOptions {
  store: Store;
  clock: Clock;
  log: Log;
  routes: Routes;
  writeMail: WriteServerMail;
  /** The beginning of links, without a trailing slash. Never taken from a request, which could name another server. */
  baseUrl: () => string;
  sharedDomain: string;
}

export interface SignInMail {
  /** Whether mail can leave this server, or is at least kept for the developer to read. */
  readonly isAvailable: boolean;
  /**
   * Mails a link that signs in once to the account of this address, if there is one. Returns at once and reveals
   * nothing: neither the answer nor its time says whether the account exists.
   */
  ask(request: { email: string; returnTo: string; clientIp: string }): void;
  /** Resolves when all mail requested so far is queued. */
  drain(): Promise<void>;
}

/** Creates the sender of sign-in mail, which goes through the outbound queue like all mail of the server itself. */
export function createSignInMail(options: SignInMailOptions): SignInMail {
  const { store, clock, log, routes, sharedDomain } = options;
  const lane = routes.laneFor(sharedDomain);
  const underWay = new Set<Promise<void>>();

  async function send({ email, returnTo, clientIp }: Parameters<SignInMail["ask"]>[0]): Promise<void> {
    // The request is answered first, so that the answer takes as long for an address without an account.
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (lane === null) return;
    const user = await store.findUserByEmail(email);
    if (!user) return;
    const token = randomBytes(32).toString("base64url");
    const now = new Date(clock.now());
    const link = `${options.baseUrl()}/sign-in?t=${token}`;
    const subject = `Sign in to e2a at ${new URL(link).host}`;
    const notice = await options.writeMail(user, { subject, text: mailText(user.email, link, clientIp), now });
    if (!notice) return log.warn("sign_in.not_mailed", { user: user.id, why: "the address is on this server" });
    const sent = await store.mailSignInToken({
      token: { tokenHash: tokenHash(token), userId: user.id, returnTo, expiresAt: later(now) },
      notice,
      now,
    });
    if (!sent) return log.warn("sign_in.not_mailed", { user: user.id, why: "enough links are open" });
    // Captured mail reaches no recipient, and only the developer reads this log.
    log.info("sign_in.mailed", { user: user.id, ...(lane === captureLane ? { link } : {}) });
  }

  return {
    isAvailable: lane !== null,
    ask(request) {
      const work = send(request)
        .catch((error) => log.error("sign_in.mail_failed", {}, error))
        .finally(() => underWay.delete(work));
      underWay.add(work);
    },
    async drain() {
      await Promise.all(underWay);
    },
  };
}

function later(now: Date): Date {
  return new Date(now.getTime() + LINK_LIFETIME_MS);
}

function mailText(email: string, link: string, clientIp: string): string {
  return [
    `Open this link to sign in as ${email}:`,
    "",
    link,
    "",
    `It works once, within ${LINK_LIFETIME_MS / 60_000} minutes.`,
    "",
    `It was requested from the address ${clientIp}. If that was not you, ignore this`,
    "email: no one can sign in without the link.",
    "",
  ].join("\n");
}
