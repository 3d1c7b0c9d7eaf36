import { domainToUnicode } from "node:url";
import { visibleLine } from "../text/visible.ts";

/** A host with A-labels in its own letters (RFC 5890); null if it has no A-label. */
export function foreignHost(host: string): string | null {
  if (!/(?:^|\.)xn--/.test(host)) return null;
  const unicode = domainToUnicode(host);
  return visibleLine(unicode === "" || unicode === host ? "no readable name" : unicode);
}
