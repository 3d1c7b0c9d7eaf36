/** Waits on this computer for a browser to bring an API key: the last step of `e2a login`. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { html } from "../../util/html.ts";
import { pageShell } from "../../util/page.ts";

/** The form has a state, a key and an address. */
const FORM_BYTES_MAX = 16 * 1024;
const path = "/callback";
/** How long the browser may take to read the last page. */
const CLOSE_GRACE_MS = 1_000;

export interface KeyCallback {
  /** The URL to which the browser must post the form: on the loopback interface, at a random port. */
  readonly url: string;
  /**
   * The value that the form must have as `cli_state`. It is secret, so an attacker cannot hand us a key of their own.
   */
  readonly state: string;
  /** Resolves with the key when it arrives. */
  readonly key: Promise<string>;
  /** Shows the user in the browser how it ended, and stops listening. `problem` is null if the key works. */
  close(problem: string | null): Promise<void>;
}

/** Starts listening. Forms that do not belong to this sign-in are refused and change nothing. */
export function listenForKey(): KeyCallback {
  const state = randomBytes(32).toString("base64url");
  const key = Promise.withResolvers<string>();
  const end = Promise.withResolvers<string | null>();

  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: FORM_BYTES_MAX,
    // The answer is sent after the key has been tried, which may take as long as a request.
    idleTimeout: 60,
    async fetch(request) {
      if (new URL(request.url).pathname !== path) return page(404, "There is nothing here.");
      if (request.method !== "POST") return page(405, "The browser sends the key automatically.");
      const form = new URLSearchParams(await request.text());
      const apiKey = form.get("api_key");
      if (!same(form.get("cli_state") ?? "", state) || !apiKey)
        return page(400, "This does not belong to the sign-in that waits here. Run e2a login again.");
      key.resolve(apiKey);
      const problem = await end.promise;
      if (problem !== null) return page(400, `The command line could not use the key: ${problem}`);
      return page(200, "The command line is signed in. You can close this window.");
    },
    error: () => page(400, "That was not a form."),
  });

  return {
    url: `http://127.0.0.1:${server.port}${path}`,
    state,
    key: key.promise,
    async close(problem) {
      end.resolve(problem);
      await Promise.race([server.stop(), Bun.sleep(CLOSE_GRACE_MS)]);
      await server.stop(true);
    },
  };
}

function same(given: string, wanted: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(wanted)];
  return one.length === other.length && timingSafeEqual(one, other);
}

const shell = pageShell({ style: "" });

function page(status: number, says: string): Response {
  const answer = shell.respond("e2a", html`<p>${says}</p>`, status);
  answer.headers.set("connection", "close");
  return answer;
}
