/** Longer paths would not fit into the cookie that keeps them while the browser is at the identity provider. */
const PATH_CHARS_MAX = 2_000;
const CALLBACK_CHARS_MAX = 256;
const STATE_CHARS_MAX = 256;

const loopbackHosts = ["127.0.0.1", "[::1]", "localhost"];

/**
 * Returns where a browser may be sent after signing in: a path of this server, normalised; null for all other texts.
 */
export function localPath(text: string): string | null {
  const base = "http://e2a.invalid";
  const url = text.startsWith("/") && text.length <= PATH_CHARS_MAX ? URL.parse(text, base) : null;
  // "/\example.com" and "/..//example.com" name another server, which only normalising reveals.
  if (!url || url.origin !== base || url.pathname.startsWith("//")) return null;
  return url.pathname + url.search + url.hash;
}

/** A command line that waits for a key: its URL, and the word by which it recognises its own sign-in. */
export interface CliCallback {
  url: URL;
  state: string;
}

/** Reads the URL at which a command line waits; null unless it is http on this computer. */
export function loopbackUrl(text: string): URL | null {
  const url = text.length <= CALLBACK_CHARS_MAX ? URL.parse(text) : null;
  if (url?.protocol !== "http:" || !loopbackHosts.includes(url.hostname)) return null;
  return url.username || url.password || url.hash ? null : url;
}

/** Whether a text is a valid `state` of a command line's sign-in. */
export function isCliState(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && text.length <= STATE_CHARS_MAX;
}

/** The path of the sign-in page, which afterwards leads to `to`: a path of this server, or a waiting command line. */
export function signInPath(to: {
  returnTo?: string | undefined;
  cli?: CliCallback | undefined;
  provider?: string;
}): string {
  const query = new URLSearchParams();
  if (to.provider) query.set("provider", to.provider);
  if (to.cli) query.set("cli_callback", to.cli.url.href);
  if (to.cli) query.set("cli_state", to.cli.state);
  if (to.returnTo && to.returnTo !== "/") query.set("return_to", to.returnTo);
  return query.size > 0 ? `/api/auth/login?${query}` : "/api/auth/login";
}
