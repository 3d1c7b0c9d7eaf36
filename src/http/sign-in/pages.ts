/** The sign-in pages: HTML that needs neither the dashboard nor scripts, and loads no external resources. */
import type { Failure } from "../../util/errors.ts";
import { html } from "../../util/html.ts";
import { pageShell } from "../../util/page.ts";
import type { OidcProvider } from "./oidc-client.ts";
import { type CliCallback, signInPath } from "./return-to.ts";

const style = `
body { max-width: 28rem; margin-top: 10vh; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; padding-top: 1.5rem; border-top: 1px solid var(--line); }
label { display: block; font-weight: 600; }
input { width: 100%; font: inherit; color: inherit; background: transparent; padding: .5rem .75rem; margin: .25rem 0 .75rem; border: 1px solid light-dark(#71717a, #a1a1aa); border-radius: 6px; }
button, .button { display: block; width: 100%; min-height: 2.75rem; margin: 0 0 .75rem; padding: .5rem 1rem; font: inherit; font-weight: 600; text-align: center; text-decoration: none; color: #fff; background: #1d4ed8; border: 0; border-radius: 6px; cursor: pointer; }
.wrong { color: light-dark(#b00020, #ff8a80); }
`;

/** Not no-referrer, which would turn the Origin of the forms into "null"; these pages have no external links. */
const forms = pageShell({ style, formTo: "'self'", referrer: "same-origin" });
/** For pages without a form, whose URL may have the secret of a link in it. */
const notices = pageShell({ style });

/** What the sign-in page offers. */
export interface WaysIn {
  /** There is no account yet: the first user owns the server. */
  isFirst: boolean;
  providers: readonly OidcProvider[];
  emailLink: boolean;
  returnTo: string;
  /** The form that was sent, and what was wrong with it. */
  wrong?: { form: "email" | "key"; message: string; status: number };
}

/** Shows every way to sign in that this server has. */
export function waysInPage({ isFirst, providers, emailLink, returnTo, wrong }: WaysIn): Response {
  const hidden = html`<input type="hidden" name="return_to" value="${returnTo}">`;
  const complaint = (form: "email" | "key") =>
    wrong?.form === form ? html`<p class="wrong" role="alert">${wrong.message}</p>` : "";
  const buttons = providers.map(
    ({ id, name }) =>
      html`<a class="button" href="${signInPath({ provider: id, returnTo })}">Continue with ${name}</a>\n`,
  );
  const first = html`<p>This server has no account yet; the first one owns it. Open the link that the server printed
when it started${providers.length > 0 ? ", or go on here" : ""}.</p>`;
  const byEmail = html`<h2>With a link by mail</h2>
<form method="post" action="/sign-in/email">${hidden}
<label>Email address <input type="email" name="email" required autocomplete="email"></label>
${complaint("email")}<button>Send me a link</button>
</form>`;
  const byKey = html`<h2>With an API key</h2>
<form method="post" action="/sign-in/key">${hidden}
<label>API key of the account <input type="password" name="api_key" required autocomplete="off" spellcheck="false"></label>
${complaint("key")}<button>Sign in</button>
</form>
<p>Or open the link that the server prints each time it starts.</p>`;
  return forms.respond(
    "Sign in",
    html`${isFirst ? first : ""}${buttons}${!isFirst && emailLink ? byEmail : ""}${isFirst ? "" : byKey}`,
    wrong?.status,
  );
}

/** Shows the page of a sign-in link. `email` is the account that it opens; null if it will create the first account. */
export function linkPage(token: string, email: string | null): Response {
  if (email === null) return accountForm(token, "", null);
  return forms.respond(
    "Sign in",
    html`<form method="post" action="/sign-in">
<input type="hidden" name="t" value="${token}">
<p>This link signs you in as ${email}, once.</p>
<button>Sign in</button>
</form>`,
  );
}

/** Shows the form for the first account again, with the error. */
export function emailPage(token: string, email: string): Response {
  return accountForm(token, email, "This is not an email address.");
}

function accountForm(token: string, email: string, wrong: string | null): Response {
  return forms.respond(
    "Create your account",
    html`<p>This server has no account yet. The first one owns it.</p>
<form method="post" action="/sign-in">
<input type="hidden" name="t" value="${token}">
<label>Your email address <input type="email" name="email" value="${email}" required autofocus autocomplete="email"></label>
${wrong ? html`<p class="wrong" role="alert">${wrong}</p>` : ""}
<button>Create the account</button>
</form>`,
    wrong ? 400 : 200,
  );
}

/** Shows the same page for every address, so that it does not reveal which accounts exist. */
export function mailedPage(email: string): Response {
  return forms.respond(
    "Check your email",
    html`<p>If there is an account for ${email}, a link that signs you in is on its way there. It works once, for 15 minutes.</p>
<p><a href="/api/auth/login">Sign in another way</a></p>`,
  );
}

/** Asks before a command line gets a key: a person who lured the user here must not get one. */
export function confirmPage(email: string, { url, state }: CliCallback): Response {
  return forms.respond(
    "Sign in on the command line",
    html`<p>Give the command line on this computer access as ${email}?</p>
<p>It gets an API key of your account. Go on only if you have just run <code>e2a login</code> here yourself.</p>
<form method="post" action="/sign-in/cli">
<input type="hidden" name="cli_callback" value="${url.href}">
<input type="hidden" name="cli_state" value="${state}">
<button>Give access</button>
</form>
<p><a href="/">Cancel</a></p>`,
  );
}

const submitAtOnce = "document.forms[0].submit()";

/** Hands over the key in a form, so that it is in no URL and no history. */
export function handOverPage({ url, state }: CliCallback, key: string, agentEmail: string): Response {
  // A policy source has no query; "," and ";" would end it, and it cannot be an IPv6 address (CSP Level 3, 2.3.1).
  const source = (url.origin + url.pathname).replaceAll(";", "%3B").replaceAll(",", "%2C");
  const shell = pageShell({
    style,
    formTo: url.hostname === "[::1]" ? null : source,
    referrer: "same-origin",
    script: submitAtOnce,
  });
  return shell.respond(
    "One moment",
    html`<p>The command line gets its key now.</p>
<form method="post" action="${url.href}">
<input type="hidden" name="cli_state" value="${state}">
<input type="hidden" name="api_key" value="${key}">
<input type="hidden" name="agent_email" value="${agentEmail}">
<button>Go on</button>
</form>`,
  );
}

/** Says why the sign-in failed, and how to start again. */
export function refusedPage(failure: Failure, again: string): Response {
  const { fix } = failure.details;
  return notices.respond(
    "You are not signed in",
    html`<p>${failure.message}</p>${fix ? html`<p>${fix}</p>` : ""}<p><a href="${again}">To the sign-in page</a></p>`,
    failure.http.status,
  );
}

export function failurePage(failure: Failure): Response {
  const { fix, retryAfterSeconds } = failure.details;
  const { status, title } = failure.http;
  // The title is about keys, which not every page is.
  const heading = failure.code === "forbidden" ? "This is not allowed" : title;
  const response = notices.respond(heading, html`<p>${failure.message}</p>${fix ? html`<p>${fix}</p>` : ""}`, status);
  if (retryAfterSeconds !== undefined) response.headers.set("retry-after", String(Math.max(1, retryAfterSeconds)));
  return response;
}
