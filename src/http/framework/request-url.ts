import { Failure } from "../../util/errors.ts";

/**
 * Returns the URL of a request. Without a Host field (HTTP/1.0, as load balancers ask), its host is localhost. Failure
 * `invalid_request` for an invalid Host (RFC 9112 3.2).
 */
export function requestUrl(request: Request): URL {
  const hasHost = Boolean(request.headers.get("host"));
  const url = hasHost ? URL.parse(request.url) : URL.parse(request.url, "http://localhost");
  if (url) return url;
  throw new Failure("invalid_request", "The Host header does not name a host.", {
    fix: "Send the host and port of the URL as Host.",
  });
}
