import punycode from "punycode/punycode.es6.js";
import { visibleLine } from "../../../src/message/text/visible.ts";

/** How a host in A-labels reads in its own letters (RFC 5890), or null when it has none but ASCII. */
export function foreignHost(host: string): string | null {
  if (!/(?:^|\.)xn--/i.test(host)) return null;
  try {
    return visibleLine(punycode.toUnicode(host.toLowerCase()));
  } catch {
    return "no readable name";
  }
}

/** The host of an address; "" when it has none. */
export function hostOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1);
}

/** Where a link of a mail may lead. */
const schemes = ["http:", "https:", "mailto:", "tel:"];

/** The target of a link in a mail, or null for one that nobody should follow. */
export function linkTarget(href: string): URL | null {
  const url = URL.parse(href);
  if (!url || !schemes.includes(url.protocol)) return null;
  // `https://bank.example@evil.example`: a user name has no use here but to look like a host.
  url.username = "";
  url.password = "";
  return url;
}

/** The host that a link really leads to. */
export function targetName(url: URL): string {
  return url.host || visibleLine(url.href);
}
