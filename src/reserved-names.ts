/** Local parts of addresses that an agent must not have. */

/** Roles at every domain (RFC 2142, RFC 5321 4.5.1), which no agent can have. */
export const roleLocalParts: readonly string[] = ["postmaster", "abuse", "mailer-daemon"];

/** At the server's own domains, also the names that readers would take for the operator's. */
export const reservedLocalParts: ReadonlySet<string> = new Set([
  ...roleLocalParts,
  ...["admin", "administrator", "billing", "bounce", "bounces", "contact", "e2a", "help", "hostmaster", "info"],
  ...["mail", "no-reply", "noreply", "notifications", "root", "security", "support", "system", "webmaster"],
]);
