import { foreignHost } from "./foreign-host.ts";

/** Schemes that a link in a mail may have: a page, an address, a telephone. */
const schemes = ["http:", "https:", "mailto:", "tel:"];
const URL_CHARS_MAX = 8_000;

/** Parses the target of a link in a mail, without user name and password; null if a reader must not follow it. */
export function linkAddress(href: string): URL | null {
  if (href.length > URL_CHARS_MAX) return null;
  const url = URL.parse(href.startsWith("//") ? `https:${href}` : href);
  if (!url || !schemes.includes(url.protocol)) return null;
  // `https://bank.example@evil.example`: here a user name only serves to look like a host.
  url.username = "";
  url.password = "";
  return url;
}

/**
 * The host that a link really leads to, in A-labels, followed by the host in its own letters if it has A-labels. For
 * `mailto:` and `tel:`, the whole URL.
 */
export function shownHost(url: URL): string {
  if (url.protocol === "mailto:" || url.protocol === "tel:") return url.href;
  const foreign = foreignHost(url.hostname);
  return foreign ? `${url.host} (${foreign})` : url.host;
}
