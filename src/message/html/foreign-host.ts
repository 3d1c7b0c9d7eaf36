import { domainToUnicode } from "node:url";
import { visibleLine } from "../text/visible.ts";

/** How a host in A-labels reads in its own letters (RFC 5890), or null when it has none but ASCII. */
export function foreignHost(host: string): string | null {
  if (!/(?:^|\.)xn--/.test(host)) return null;
  const unicode = domainToUnicode(host);
  return visibleLine(unicode === "" || unicode === host ? "no readable name" : unicode);
}
