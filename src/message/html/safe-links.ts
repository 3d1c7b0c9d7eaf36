import { foreignHost } from "./foreign-host.ts";

/** Where a link of a mail may lead: a page, an address, a telephone. */
const schemes = ["http:", "https:", "mailto:", "tel:"];
const URL_CHARS_MAX = 8_000;

/** The target of a link in a mail, or null for one that nobody should follow. */
export function linkAddress(href: string): URL | null {
  if (href.length > URL_CHARS_MAX) return null;
  const url = URL.parse(href.startsWith("//") ? `https:${href}` : href);
  if (!url || !schemes.includes(url.protocol)) return null;
  // `https://bank.example@evil.example`: a user name has no use here but to look like a host.
  url.username = "";
  url.password = "";
  return url;
}

/** The host that a link really leads to: in A-labels, with its own letters beside them where it has others. */
export function shownHost(url: URL): string {
  if (url.protocol === "mailto:" || url.protocol === "tel:") return url.href;
  const foreign = foreignHost(url.hostname);
  return foreign ? `${url.host} (${foreign})` : url.host;
}
