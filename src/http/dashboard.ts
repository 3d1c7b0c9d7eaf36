import { dashboardFile } from "../assets.ts";

/** Own files only; `data:` is for small images in style sheets. */
const policy =
  "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** The dashboard's file for a decoded path, or null when there is none. */
export function dashboardResponse(path: string): Response | null {
  const file = dashboardFile(path);
  if (!file) return null;
  return new Response(file.body, {
    headers: {
      "content-type": file.contentType,
      "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
      "content-security-policy": policy,
      "referrer-policy": "same-origin",
    },
  });
}
