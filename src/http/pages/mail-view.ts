/** The HTML of a mail, for a frame: an inert page in an opaque origin. */

import { Type } from "@sinclair/typebox";
import type { Owner } from "../../util/owner.ts";
import { flag, query } from "../framework/input.ts";
import { bodyOf } from "../framework/large-answer.ts";
import { operation } from "../framework/openapi.ts";
import { notFound } from "../framework/problem.ts";
import { type Exchange, type RouteDeps, resource } from "../framework/resource.ts";
import { ownAgent } from "../resources/account/agents.ts";
import { ownOutbound } from "../resources/mail/outbound.ts";

/**
 * The policy that the browser applies to the page: no scripts, no forms, and no requests (except for images, if the
 * reader wants them). The origin is opaque, so neither cookies nor the API are within reach. Links open in another tab.
 */
function policy(images: boolean): string {
  return [
    "sandbox allow-popups allow-popups-to-escape-sandbox",
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    `img-src data:${images ? " http: https:" : ""}`,
    ...["form-action 'none'", "base-uri 'none'", "frame-ancestors 'self'"],
  ].join("; ");
}

/**
 * Mail is written for white paper. The mail's own style comes later and wins, except over the marks of false links:
 * `!important` in a layer wins over `!important` outside layers (CSS Cascade 5, 6.4.3), and `all` covers every
 * property.
 */
const style = `
:root { color-scheme: light; background: #fff; color: #17181c; }
body { margin: 16px; font: 14px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; }
img[data-e2a-blocked] { min-width: 1.5em; min-height: 1.5em; background: #ececf0; outline: 1px dashed #b9bac2; }
table { max-width: 100%; }
pre { white-space: pre-wrap; }
@layer e2a {
  .e2a-host { all: initial !important; display: inline !important; visibility: visible !important; opacity: 1 !important; margin: 0 .35em !important;
    padding: 0 .4em !important; border-radius: 4px !important; background: #fdeae8 !important; color: #b3261e !important;
    font: 12px/1.5 ui-monospace, monospace !important; }
  .e2a-host::before, .e2a-host::after { content: none !important; }
}
`;

/** @param body HTML by `safeHtml`. */
function page(exchange: Exchange, body: string, images: boolean): Response {
  const text = `<!doctype html><html><head><meta charset="utf-8"><title>Mail</title><style>${style}</style></head><body>${body}</body></html>`;
  return new Response(bodyOf(exchange, Buffer.from(text)), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy(images),
      "referrer-policy": "no-referrer",
      // The policy does not cover DNS look-ups that a page requests before the reader follows a link.
      "x-dns-prefetch-control": "off",
      "cross-origin-resource-policy": "same-origin",
    },
  });
}

const ViewQuery = query({
  images: Type.Optional(
    flag({
      default: false,
      description: "Load remote pictures, which tells their servers that the message was opened.",
    }),
  ),
});

const about = {
  description:
    "Only what lays text out, as a page that runs and loads nothing (its Content-Security-Policy). Links lead to a page " +
    "of the dashboard that shows where they go.",
  produces: { status: 200, description: "A page for a sandboxed frame", type: "text/html" },
};

/** The routes that show the HTML of received and sent mail. */
export function mailViews(deps: RouteDeps) {
  const { store, offload } = deps;

  async function show(
    exchange: Exchange,
    owner: Owner,
    html: string,
    images: boolean,
    raw: Uint8Array,
  ): Promise<Response> {
    return page(exchange, await offload.safeHtml(owner, html, { images, raw }), images);
  }

  return resource("/api/v1")
    .get(
      "/agents/:email/messages/:id/html",
      ({ params, query, caller, exchange }) =>
        exchange.withWholeMessage(async () => {
          const agent = await ownAgent(store, caller, params.email);
          const mail = await store.getMessage(agent.id, params.id);
          if (!mail || mail.content.html === null) throw notFound("HTML part");
          return show(exchange, mail.message, mail.content.html, query.images ?? false, mail.raw);
        }, "child"),
      {
        query: ViewQuery,
        ...operation({ id: "showMessageHtml", tag: "messages", summary: "Show a message's HTML, harmless", ...about }),
      },
    )
    .get(
      "/messages/:id/html",
      ({ params, query, caller, exchange }) =>
        exchange.withWholeMessage(async () => {
          const { message } = await ownOutbound(store, caller, params.id);
          const { html } = message.content;
          const raw = html === null ? null : await store.outboundBytes(message.id);
          if (html === null || !raw) throw notFound("HTML part");
          return show(exchange, message, html, query.images ?? false, raw);
        }, "child"),
      {
        query: ViewQuery,
        ...operation({
          id: "showOutboundHtml",
          tag: "sending",
          summary: "Show a sent message's HTML, harmless",
          ...about,
        }),
      },
    );
}
