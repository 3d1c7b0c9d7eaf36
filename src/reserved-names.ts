/** Local parts of addresses that speak for somebody else than an agent. */

/** Those that mean a role at every domain (RFC 2142, RFC 5321 4.5.1), and so can be nobody's agent. */
export const roleLocalParts: readonly string[] = ["postmaster", "abuse", "mailer-daemon"];

/** At a domain of the server's own also those that readers would take for its operator. */
export const reservedLocalParts: ReadonlySet<string> = new Set([
  ...roleLocalParts,
  ...["admin", "administrator", "billing", "bounce", "bounces", "contact", "e2a", "help", "hostmaster", "info"],
  ...["mail", "no-reply", "noreply", "notifications", "root", "security", "support", "system", "webmaster"],
]);
