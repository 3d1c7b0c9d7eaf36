import { expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { superlinear } from "../../../test/support/growth.ts";
import { callRoute } from "./call.ts";
import { query, text } from "./input.ts";
import type { Route } from "./openapi.ts";
import type { Exchange } from "./resource.ts";

/** Far more than a URL can have, so that work which grows too fast takes seconds. */
const parametersMax = 12_000;

const route = {
  path: "/anything",
  method: "GET",
  handler: ({ query }: { query: unknown }) => query,
  hooks: { query: query({ t: Type.Optional(text({ max: 100 })) }, { others: "ignored" }), detail: { access: "open" } },
} as unknown as Route;

async function answerTo(search: string): Promise<unknown> {
  const url = new URL(`http://localhost/anything?${search}`);
  return (await callRoute(route, new Request(url.href), { url } as Exchange, {}, undefined, {})).json();
}

test("parameters of any number are read in linear time", async () => {
  const distinct = (count: number) => ["t=x", ...Array.from({ length: count }, (_, i) => `${i}`)].join("&");
  const equal = (count: number) => `t=x&${"a=1&".repeat(count)}`;
  expect(await answerTo(distinct(10))).toEqual({ t: "x" });
  expect(await superlinear(parametersMax, distinct, answerTo)).toBeNull();
  expect(await superlinear(parametersMax, equal, answerTo)).toBeNull();
});
