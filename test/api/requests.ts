/** Requests that no client should send, with the expected answers. */
export interface HostileRequest {
  name: string;
  method: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** Null: no key. Default: the account's key. */
  key?: string | null;
  status: number;
  code: string;
  /** Every field that the answer names, in order. */
  fields?: string[];
  answers?: Record<string, string>;
}

const agents = "/api/v1/agents";
const messages = `${agents}/nobody@nowhere.example/messages`;
const keys = "/api/v1/keys";
const json = { "content-type": "application/json" };
const invalid = { status: 400, code: "invalid_request" } as const;

export const hostileRequests: HostileRequest[] = [
  // Authentication comes before all other checks.
  { name: "no key", method: "GET", path: agents, key: null, status: 401, code: "unauthenticated" },
  { name: "no key and an empty body", method: "POST", path: agents, key: null, status: 401, code: "unauthenticated" },
  {
    name: "no key and a broken body",
    method: "POST",
    path: agents,
    key: null,
    body: "{",
    status: 401,
    code: "unauthenticated",
  },
  {
    name: "no key and a body beyond all limits",
    method: "POST",
    path: agents,
    key: null,
    body: "x".repeat(200_000),
    ...{ status: 401, code: "unauthenticated", answers: { "www-authenticate": 'Bearer realm="e2a"' } },
  },
  { name: "a key that is none", method: "GET", path: agents, key: "e2a_short", status: 401, code: "unauthenticated" },
  {
    name: "an unknown key",
    method: "GET",
    path: agents,
    key: `e2a_${"a".repeat(64)}`,
    status: 401,
    code: "unauthenticated",
  },
  {
    name: "another scheme",
    method: "GET",
    path: agents,
    key: null,
    headers: { authorization: "Basic YTpi" },
    ...{ status: 401, code: "unauthenticated" },
  },

  // Unknown paths and methods.
  { name: "an unknown path", method: "GET", path: "/api/v1/nothing", status: 404, code: "not_found" },
  {
    name: "an unknown method",
    method: "PUT",
    path: agents,
    status: 405,
    code: "method_not_allowed",
    answers: { allow: "GET, HEAD, POST" },
  },
  {
    name: "OPTIONS",
    method: "OPTIONS",
    path: `${keys}/apk_1`,
    status: 405,
    code: "method_not_allowed",
    answers: { allow: "DELETE" },
  },
  { name: "an escape that is no UTF-8", method: "GET", path: `${agents}/%FF`, ...invalid },
  { name: "NUL in the path", method: "GET", path: `${agents}/a%00b@x.example`, ...invalid },
  { name: "half an escape in the query", method: "GET", path: `${messages}?q=%E2%82`, ...invalid },
  { name: "an escaped slash", method: "GET", path: `${agents}/..%2f..%2fetc`, status: 404, code: "not_found" },
  { name: "a very long path", method: "GET", path: `/${"a".repeat(8_000)}`, status: 404, code: "not_found" },

  // Bodies that are not JSON, or too large.
  { name: "no body", method: "POST", path: agents, ...invalid, fields: ["body"] },
  { name: "broken JSON", method: "POST", path: agents, body: '{"slug":', ...invalid },
  { name: "a body that is no UTF-8", method: "POST", path: agents, body: new Uint8Array([123, 0xff, 125]), ...invalid },
  { name: "a list", method: "POST", path: agents, body: "[]", ...invalid, fields: ["body"] },
  { name: "null", method: "POST", path: agents, body: "null", ...invalid, fields: ["body"] },
  { name: "a number", method: "POST", path: agents, body: "0", ...invalid, fields: ["body"] },
  {
    name: "a form",
    method: "POST",
    path: agents,
    body: "slug=a",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    status: 415,
    code: "unsupported_media_type",
  },
  {
    name: "too much",
    method: "POST",
    path: agents,
    body: { slug: "x".repeat(70_000) },
    status: 413,
    code: "too_large",
  },
  {
    name: "deep nesting in a member that no route knows",
    method: "POST",
    path: agents,
    body: `{"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
    ...invalid,
    fields: ["body"],
  },
  {
    name: "deep nesting in a member of the route",
    method: "POST",
    path: agents,
    body: `{"name":${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
    ...invalid,
    fields: ["body"],
  },

  // Answers name every wrong field.
  {
    name: "an agent with everything wrong",
    method: "POST",
    path: agents,
    body: { slug: "-Bad", name: 5, webhook_url: "ftp://x", agent_mode: "clod" },
    ...{ ...invalid, fields: ["slug", "name", "agent_mode", "webhook_url"] },
  },
  {
    name: "slug and email",
    method: "POST",
    path: agents,
    body: { slug: "ab", email: "a@b.example", agent_mode: "local" },
    ...invalid,
    fields: ["email"],
  },
  {
    name: "neither slug nor email",
    method: "POST",
    path: agents,
    body: { agent_mode: "local" },
    ...invalid,
    fields: ["slug"],
  },
  {
    name: "null counts as absent",
    method: "POST",
    path: agents,
    body: { slug: null, agent_mode: null },
    ...invalid,
    fields: ["slug", "webhook_url"],
  },
  {
    name: "a reserved slug",
    method: "POST",
    path: agents,
    body: { slug: "postmaster", agent_mode: "local" },
    ...invalid,
    fields: ["slug"],
  },
  {
    name: "a reserved local part",
    method: "POST",
    path: agents,
    body: { email: "Abuse@d.example", agent_mode: "local" },
    ...invalid,
    fields: ["email"],
  },
  {
    name: "a sub-address",
    method: "POST",
    path: agents,
    body: { email: "a+b@d.example", agent_mode: "local" },
    ...invalid,
    fields: ["email"],
  },
  {
    name: "no address at all",
    method: "POST",
    path: agents,
    body: { email: "nonsense", agent_mode: "local" },
    ...invalid,
    fields: ["email"],
  },
  {
    name: "the shared domain as email",
    method: "POST",
    path: agents,
    body: { email: "x@e2a.localhost", agent_mode: "local" },
    ...invalid,
    fields: ["email"],
  },
  {
    name: "a private webhook",
    method: "POST",
    path: agents,
    body: { slug: "ab", webhook_url: "https://192.168.1.1/" },
    ...invalid,
    fields: ["webhook_url"],
  },
  {
    name: "NUL in text",
    method: "POST",
    path: keys,
    body: { name: "a\0b", scope: "account" },
    ...invalid,
    fields: ["name"],
  },
  {
    name: "a lone surrogate in text",
    method: "POST",
    path: keys,
    body: '{"name":"\\ud800","scope":"account"}',
    headers: json,
    ...invalid,
    fields: ["name"],
  },
  {
    name: "__proto__ instead of members",
    method: "POST",
    path: keys,
    body: '{"__proto__":{"name":"x","scope":"account"}}',
    headers: json,
    ...invalid,
    fields: ["__proto__", "name", "scope"],
  },
  {
    name: "a key with everything wrong",
    method: "POST",
    path: keys,
    body: { name: "", scope: "agent", expires_at: "yesterday" },
    ...invalid,
    fields: ["name", "expires_at", "agent"],
  },
  {
    name: "a key that has expired already",
    method: "POST",
    path: keys,
    body: { name: "x", scope: "account", expires_at: "2020-01-01T00:00:00Z" },
    ...invalid,
    fields: ["expires_at"],
  },
  {
    name: "a key for an agent of nobody",
    method: "POST",
    path: keys,
    body: { name: "x", scope: "agent", agent: "no@no.example" },
    ...invalid,
    fields: ["agent"],
  },
  {
    name: "a domain that is none",
    method: "POST",
    path: "/api/v1/domains",
    body: { domain: "not a domain" },
    ...invalid,
    fields: ["domain"],
  },
  {
    name: "a domain of one label",
    method: "POST",
    path: "/api/v1/domains",
    body: { domain: "localhost" },
    ...invalid,
    fields: ["domain"],
  },
  {
    name: "a public suffix",
    method: "POST",
    path: "/api/v1/domains",
    body: { domain: "co.uk" },
    ...invalid,
    fields: ["domain"],
  },
  {
    name: "an address as domain",
    method: "POST",
    path: "/api/v1/domains",
    body: { domain: "127.0.0.1" },
    ...invalid,
    fields: ["domain"],
  },
  ...[
    { method: "PUT", path: `${agents}/nobody@nowhere.example`, field: "body" },
    { method: "PATCH", path: `${agents}/nobody@nowhere.example`, field: "body" },
    { method: "PATCH", path: `${messages}/msg_1`, field: "body" },
    { method: "PATCH", path: "/api/v1/webhooks/whk_1", field: "body" },
    { method: "PATCH", path: "/api/v1/domains/nowhere.example", field: "paused" },
    { method: "PATCH", path: "/api/v1/users/me", field: "paused" },
  ].map(({ field, ...one }) => ({
    ...{ name: `${one.method} ${one.path} without a change`, ...one, body: {}, ...invalid, fields: [field] },
  })),
  {
    name: "a change that only repeats a member without value",
    method: "PUT",
    path: `${agents}/nobody@nowhere.example`,
    body: { name: null },
    ...invalid,
    fields: ["body"],
  },
  ...["", " \t "].map((subject) => ({
    name: `a message with the subject ${JSON.stringify(subject)}`,
    method: "POST",
    path: "/api/v1/send",
    body: { to: ["bob@people.example"], subject, body: "Hello" },
    ...invalid,
    // The account has several agents.
    fields: ["subject", "from"],
  })),
  {
    name: "a list with every filter wrong",
    method: "GET",
    path: `${messages}?status=new&since=2026-02-30T00:00:00Z&until=noon&sort=up&direction=x&page_size=x&token=${"x".repeat(600)}&q=${"x".repeat(2_000)}`,
    ...{ ...invalid, fields: ["status", "q", "since", "until", "sort", "direction", "page_size", "token"] },
  },
  {
    name: "times that JavaScript would take",
    method: "GET",
    path: `${messages}?since=0&until=2026-05-15`,
    ...invalid,
    fields: ["since", "until"],
  },
  {
    name: "a page size that is no whole number",
    method: "GET",
    path: `${messages}?page_size=1e1`,
    ...invalid,
    fields: ["page_size"],
  },
  { name: "a parameter given twice", method: "GET", path: `${messages}?q=a&q=b`, ...invalid, fields: ["q"] },
  { name: "NUL in the query", method: "GET", path: `${messages}?q=a%00`, ...invalid, fields: ["q"] },
  {
    name: "a wait beyond the limit",
    method: "GET",
    path: `${messages}/wait?timeout=61`,
    ...invalid,
    fields: ["timeout"],
  },
  {
    name: "an empty Idempotency-Key",
    method: "POST",
    path: keys,
    body: { name: "x", scope: "account" },
    headers: { "idempotency-key": "" },
    ...invalid,
    fields: ["Idempotency-Key"],
  },
  {
    name: "a long Idempotency-Key",
    method: "POST",
    path: keys,
    body: { name: "x", scope: "account" },
    headers: { "idempotency-key": "x".repeat(256) },
    ...invalid,
    fields: ["Idempotency-Key"],
  },
];
