/** The few pages around the sign-in link, until the dashboard takes over: HTML, no script, nothing from elsewhere. */
import { createHash } from "node:crypto";
import type { Failure } from "../errors.ts";
import { html, raw, type SafeHtml } from "../html.ts";

const style = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto 0; padding: 0 1rem; }
input, button { font: inherit; padding: .5rem .75rem; }
input { width: 100%; box-sizing: border-box; margin: .25rem 0 1rem; }
pre { overflow: auto; padding: .75rem; border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: 4px; }
.wrong { color: light-dark(#b00020, #ff8a80); }
`;

const headers = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  "x-frame-options": "DENY",
  // Not no-referrer: that would turn the Origin of the forms into "null", and these pages link nowhere else.
  "referrer-policy": "same-origin",
  "x-robots-tag": "noindex",
};

function page(title: string, content: SafeHtml, status = 200): Response {
  const { text } = html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · e2a</title>
<style>${raw(style)}</style>
<main>
<h1>${title}</h1>
${content}
</main>
</html>
`;
  return new Response(text, { status, headers });
}

/** `email` is the account that the link opens; null when it will make the first one. */
export function signInPage(token: string, email: string | null): Response {
  if (email === null) return accountForm(token, "", null);
  return page(
    "Sign in",
    html`<form method="post" action="/sign-in">
<input type="hidden" name="t" value="${token}">
<p>This link signs you in as ${email}, once.</p>
<button>Sign in</button>
</form>`,
  );
}

/** The first account's form again, with what was wrong. */
export function emailPage(token: string, email: string): Response {
  return accountForm(token, email, "This is not an email address.");
}

function accountForm(token: string, email: string, wrong: string | null): Response {
  return page(
    "Make your account",
    html`<p>This server has no account yet. The first one owns it.</p>
<form method="post" action="/sign-in">
<input type="hidden" name="t" value="${token}">
<label>Your email address <input type="email" name="email" value="${email}" required autofocus autocomplete="email"></label>
${wrong ? html`<p class="wrong">${wrong}</p>` : ""}
<button>Make the account</button>
</form>`,
    wrong ? 400 : 200,
  );
}

export function welcomePage(email: string): Response {
  return page(
    "Welcome",
    html`<p>You are signed in as ${email}.</p>
<p>Programs use an API key. It is shown once.</p>
<form method="post" action="/welcome"><button>Create an API key</button></form>
<p><a href="/api/docs">API reference</a></p>`,
  );
}

export function keyPage(key: string, url: string, sharedDomain: string): Response {
  return page(
    "Your API key",
    html`<p>Keep it now; it is not shown again.</p>
<pre>${key}</pre>
<p>Next, in a terminal:</p>
<pre>export E2A_URL=${url}
export E2A_API_KEY=${key}
e2a agents register --slug my-bot
e2a listen --agent my-bot@${sharedDomain}</pre>
<p>Or without the command line:</p>
<pre>curl ${url}/api/v1/agents -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" -d '{"slug":"my-bot","agent_mode":"local"}'</pre>
<p><a href="/api/docs">API reference</a></p>`,
  );
}

export function failurePage(failure: Failure): Response {
  const { fix } = failure.details;
  const response = page(
    failure.http.title,
    html`<p>${failure.message}</p>${fix ? html`<p>${fix}</p>` : ""}`,
    failure.http.status,
  );
  // It has no form, and the token of a link may be in its address.
  response.headers.set("referrer-policy", "no-referrer");
  return response;
}
