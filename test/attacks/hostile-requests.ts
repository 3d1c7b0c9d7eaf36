/** HTTP requests that are cheap to make and expensive to answer, as data: one row per attack. */

export interface HostileRequest {
  /** The attack, in a few words. */
  readonly name: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Relative to /api/v1. `{agent}` stands for the address of an agent that belongs to the key. */
  readonly path: string;
  /** Makes the body as bytes or text when it is needed, because some are large. */
  readonly body?: () => Uint8Array | string;
  /** How many of these requests run concurrently. Default: 1. */
  readonly parallel?: number;
  /** The acceptable answers. Any other answer means that the attack has found something. */
  readonly answers: readonly number[];
}

const mebibyte = 1024 * 1024;
/** Just below the default limit of a request (http.max_body_size). */
const bodyBytes = 39 * mebibyte;

const repeat = (text: string, bytes: number) => Buffer.alloc(bytes, text);
const send = (members: Record<string, unknown>) =>
  JSON.stringify({ from: "target@e2a.localhost", to: ["target@e2a.localhost"], subject: "s", body: "b", ...members });

/** The body of a send with one attachment of this size. */
function sendWithAttachment(bytes: number): string {
  const data = Buffer.alloc(bytes, "e2a attachment ").toString("base64");
  return send({ attachments: [{ filename: "a.bin", content_type: "application/octet-stream", data }] });
}

export const hostileRequests: readonly HostileRequest[] = [
  { name: "39 MB of [", method: "POST", path: "/send", body: () => repeat("[", bodyBytes), answers: [400, 413] },
  {
    name: '39 MB of {"a":',
    method: "POST",
    path: "/send",
    body: () => repeat('{"a":', bodyBytes),
    answers: [400, 413],
  },
  {
    name: "39 MB of [[], in an array",
    method: "POST",
    path: "/send",
    body: () => Buffer.concat([Buffer.from("["), repeat("[],", bodyBytes), Buffer.from("[]]")]),
    answers: [400, 413],
  },
  {
    name: "5 million members",
    method: "POST",
    path: "/send",
    body: () => `{${Array.from({ length: 2_500_000 }, (_, i) => `"m${i}":0`).join(",")}}`,
    answers: [400, 413],
  },
  {
    name: "39 MB of numbers",
    method: "POST",
    path: "/send",
    body: () => `[${"1,".repeat(19 * mebibyte)}1]`,
    answers: [400, 413],
  },
  {
    name: "39 MB of escapes",
    method: "POST",
    path: "/send",
    body: () => send({ subject: "" }).replace('"subject":""', `"subject":"${"\\u0041".repeat(6 * mebibyte)}"`),
    answers: [400, 413],
  },
  {
    name: "39 MB for a route without attachments",
    method: "POST",
    path: "/agents",
    body: () => `{"slug":"${"a".repeat(bodyBytes - 100)}"}`,
    answers: [400, 413],
  },
  {
    name: "39 MB of white space",
    method: "PUT",
    path: "/agents/{agent}",
    body: () => repeat(" ", bodyBytes),
    answers: [400, 413],
  },
  {
    name: "39 MB of text in the body",
    method: "POST",
    path: "/send",
    body: () => send({ body: "word ".repeat(7 * mebibyte) }),
    answers: [200, 202, 400, 413],
  },
  {
    name: "HTML of 20 MB of <div>",
    method: "POST",
    path: "/send",
    body: () => send({ html_body: "<div>".repeat(4 * mebibyte) }),
    answers: [200, 202, 400, 413],
  },
  {
    name: "HTML of 1 MB of <p style=color:rgb(",
    method: "POST",
    path: "/send",
    body: () => send({ html_body: `<p style="color:${"rgb(".repeat(mebibyte / 4)}">x` }),
    answers: [200, 202, 400, 413],
  },
  {
    name: "50 recipients of 300 characters",
    method: "POST",
    path: "/send",
    body: () => send({ to: Array.from({ length: 50 }, (_, i) => `${"a".repeat(60)}${i}@${"b.".repeat(90)}example`) }),
    answers: [200, 202, 400, 422],
  },
  {
    name: "100,000 recipients",
    method: "POST",
    path: "/send",
    body: () => send({ to: Array.from({ length: 100_000 }, (_, i) => `a${i}@example.org`) }),
    answers: [400, 413],
  },
  {
    name: "100,000 References",
    method: "POST",
    path: "/send",
    body: () => send({ references: Array.from({ length: 100_000 }, (_, i) => `<${i}@example.org>`) }),
    answers: [400, 413],
  },
  {
    name: "10,000 attachments",
    method: "POST",
    path: "/send",
    body: () =>
      send({
        attachments: Array.from({ length: 10_000 }, () => ({
          filename: "a",
          content_type: "text/plain",
          data: "YQ==",
        })),
      }),
    answers: [200, 202, 400, 413],
  },
  {
    name: "a file name of 1 MB of dots",
    method: "POST",
    path: "/send",
    body: () =>
      send({ attachments: [{ filename: `x${".".repeat(mebibyte)}x`, content_type: "text/plain", data: "YQ==" }] }),
    answers: [400, 413],
  },
  {
    name: "19,000 unknown members that begin alike",
    method: "POST",
    path: "/send",
    body: () =>
      send({
        attachments: [
          Object.fromEntries(Array.from({ length: 19_000 }, (_, i) => [i ? `${"x".repeat(64)}${i}` : "filename", "a"])),
        ],
      }),
    answers: [400],
  },
  {
    name: "base64 with a break behind each letter",
    method: "POST",
    path: "/send",
    body: () => send({ attachments: [{ filename: "a", data: "A\n".repeat(12 * mebibyte) }] }),
    answers: [400],
  },
  {
    name: "20 MB of words of one letter",
    method: "POST",
    path: "/send",
    body: () => send({ body: "a ".repeat(10 * mebibyte) }),
    answers: [200, 202, 400, 413],
  },
  {
    name: "20 exports at once",
    method: "GET",
    path: "/users/me/export",
    parallel: 20,
    answers: [200, 503],
  },
  {
    name: "30 parallel sends of 17 MB",
    method: "POST",
    path: "/send",
    parallel: 30,
    body: () => sendWithAttachment(17 * mebibyte),
    answers: [200, 202, 400, 413, 429, 503],
  },
  {
    name: "30 parallel bodies of 39 MB of [",
    method: "POST",
    path: "/send",
    parallel: 30,
    body: () => repeat("[", bodyBytes),
    answers: [400, 413, 429, 503],
  },
  {
    name: "search for 16 times the same letter",
    method: "GET",
    path: `/agents/{agent}/messages?status=all&q=${"a".repeat(16)}`,
    answers: [200, 400],
  },
  {
    name: "search for 16 times the same word",
    method: "GET",
    path: `/agents/{agent}/messages?status=all&q=${Array(16).fill("word").join("+")}`,
    answers: [200, 400],
  },
  {
    name: "search for 16 single letters",
    method: "GET",
    path: `/agents/{agent}/messages?status=all&q=${Array(16).fill("a").join("+")}`,
    parallel: 10,
    answers: [200, 400],
  },
  {
    name: "search for 16 wildcards",
    method: "GET",
    path: `/agents/{agent}/messages?status=all&q=${Array(16).fill("a*").join("+")}`,
    parallel: 10,
    answers: [200, 400],
  },
  {
    name: "search for 8 KB of quotes",
    method: "GET",
    path: `/agents/{agent}/messages?status=all&q=${"%22".repeat(2_700)}`,
    answers: [200, 400, 414, 431],
  },
  {
    name: "a page token of 8 KB",
    method: "GET",
    path: `/agents/{agent}/messages?token=${"A".repeat(8_000)}`,
    answers: [400, 414, 431],
  },
  {
    name: "4,000 different query parameters",
    method: "GET",
    path: `/info?${Array.from({ length: 4_000 }, (_, i) => i.toString(36)).join("&")}`,
    parallel: 20,
    answers: [200],
  },
  {
    name: "a path of 8 KB of escapes",
    method: "GET",
    path: `/agents/${"%41".repeat(2_700)}`,
    answers: [400, 404, 414, 431],
  },
];
