import punycode from "punycode/punycode.es6.js";
import { visibleLine } from "../../../src/message/text/visible.ts";

/** A host in A-labels as Unicode (RFC 5890), or null if it is plain ASCII. */
export function foreignHost(host: string): string | null {
  if (!/(?:^|\.)xn--/i.test(host)) return null;
  try {
    return visibleLine(punycode.toUnicode(host.toLowerCase()));
  } catch {
    return "no readable name";
  }
}

/** The host of an address; "" if it has none. */
export function hostOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1);
}

/** The schemes that a link in a mail may have. */
const schemes = ["http:", "https:", "mailto:", "tel:"];

/** The target of a link in a mail, or null for a link that must not be followed. */
export function linkTarget(href: string): URL | null {
  const url = URL.parse(href);
  if (!url || !schemes.includes(url.protocol)) return null;
  // In `https://bank.example@evil.example` the user name only pretends to be a host.
  url.username = "";
  url.password = "";
  return url;
}

/** The host (or address) to which a link really leads. */
export function targetName(url: URL): string {
  return url.host || visibleLine(url.href);
}
