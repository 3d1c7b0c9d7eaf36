import { expect, test } from "bun:test";
import document from "../../../docs/openapi.json" with { type: "json" };
import { E2AClient } from "../src/index.ts";

/** Operations that programs do not call, besides pages and sockets: signing a browser in, the server's own affairs. */
const notCalls = [
  ...["getReady", "getOpenApi", "getSignInMethods", "getSession", "signInWithKey", "mailSignInLink", "logOut"],
  // Files of an approval link, for the browser that opened it.
  ...["approveLinkAttachment", "rejectLinkAttachment"],
  // PATCH does the same.
  "updateAgent",
  // The operation that lists all schemas has this one too.
  "getEventSchema",
];

interface Operation {
  operationId: string;
  responses: Record<string, { content?: object }>;
}

/** Whether programs call it. Operations that answer with a page, socket or redirect are for browsers and listeners. */
function isCall({ operationId, responses }: Operation): boolean {
  const good = Object.entries(responses).find(([status]) => status.startsWith("2"));
  return good !== undefined && !Object.hasOwn(good[1].content ?? {}, "text/html") && !notCalls.includes(operationId);
}

test("the SDK reaches every operation of docs/openapi.json, and none that is not there", async () => {
  const asked = new Set<string>();
  const client = new E2AClient({
    ...{ apiKey: "k", baseUrl: "http://127.0.0.1:1", agentEmail: "x", retries: 0 },
    fetch: async (url, { method }) => {
      asked.add(`${method} ${new URL(url).pathname}`);
      return Response.json({});
    },
  });
  for (const holder of [client, ...Object.values(client)] as Record<string, unknown>[]) {
    if (typeof holder !== "object") continue;
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(holder))) {
      const method = holder[name];
      // These never end, or make their requests through others.
      if (
        typeof method !== "function" ||
        ["constructor", "listen", "watch", "follow", "of", "parseWebhook"].includes(name)
      )
        continue;
      // Whether the answer {} is valid does not matter.
      await Promise.resolve(method.call(holder, "x", {}, {})).catch(() => {});
    }
  }
  const documented = Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => isCall(operation))
        .map(([method]) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, "x")}`),
  );
  // An attachment's index is the second argument.
  expect([...asked].map((one) => one.replace("%5Bobject%20Object%5D", "x")).sort()).toEqual(documented.sort());
});
