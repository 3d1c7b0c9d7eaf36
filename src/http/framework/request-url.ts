import { Failure } from "../../errors.ts";

/** Elysia looks for the path behind the 11th character of a URL: `http://` and a host of at least four. */
const ROUTABLE_HOST_CHARS_MIN = 4;

/**
 * The URL of a request. Without a Host field (HTTP/1.0, as load balancers ask) it is this machine's. Failure
 * `invalid_request` for a Host that is none (RFC 9112 3.2).
 */
export function requestUrl(request: Request): URL {
  const hasHost = Boolean(request.headers.get("host"));
  const url = hasHost ? URL.parse(request.url) : URL.parse(request.url, "http://localhost");
  if (url) return url;
  throw new Failure("invalid_request", "The Host header names no host.", {
    fix: "Send the host and port of the URL as Host.",
  });
}

/** The same URL as the router understands it: another host stands for one of few letters, such as a container's name. */
export function routableUrl(url: URL): string {
  if (url.host.length >= ROUTABLE_HOST_CHARS_MIN) return url.href;
  const routable = new URL(url);
  routable.hostname = "localhost";
  return routable.href;
}
