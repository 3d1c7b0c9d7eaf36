import { ElysiaCustomStatusResponse, status } from "elysia";
import { Failure } from "../../util/errors.ts";
import type { JsonBody } from "./input.ts";
import { invalid, refuseUnknown } from "./input.ts";
import { jsonAnswer } from "./large-answer.ts";
import type { Route } from "./openapi.ts";
import type { Exchange } from "./resource.ts";

/** Bytes of a body that are parsed although the route takes no body; only `{}` and `null` are allowed in it. */
const IDLE_BODY_BYTES_MAX = 4 * 1024;

/**
 * Calls a route's handler with the inputs that it declares, and makes a response of the result: a Response as it is,
 * `status()` with its status, anything else as JSON. Throws the handler's Failure, and `invalid_request` for inputs
 * that do not fit.
 *
 * @param json the body, if the route has a schema for one and the request has one
 * @param headers set by the handler, for its answer and its failure alike
 */
export async function callRoute(
  { handler, hooks }: Route,
  request: Request,
  exchange: Exchange,
  params: Record<string, string>,
  json: JsonBody | undefined,
  headers: Record<string, string>,
): Promise<Response> {
  const access = hooks.detail?.access;
  const given = queryOf(exchange.url);
  if (access !== "open") {
    if (!hooks.query) refuseUnknown(Object.keys(given), []);
    if (!hooks.body && access !== "raw") refuseBody(exchange.body);
    // The door has authenticated the caller already; this check matters if a route is ever marked public by mistake.
    if (!exchange.identity) throw new Failure("unauthenticated", "This needs an API key.");
  }
  const query = hooks.query ? hooks.query["~standard"].validate(given).value : given;
  const isGiven = json !== undefined || !hooks.body?.isOptional;
  const body = hooks.body ? hooks.body["~standard"].validate(isGiven ? json : undefined).value : undefined;
  const context = { request, exchange, caller: exchange.identity, params, query, body, set: { headers }, status };
  const result = await handler(context);
  if (result instanceof Response) return result;
  if (result instanceof ElysiaCustomStatusResponse) return jsonAnswer(exchange, result.response, Number(result.code));
  return jsonAnswer(exchange, result);
}

/** Query parameters by name. A parameter that is given several times has a list of values. */
function queryOf({ searchParams }: URL): Record<string, string | string[]> {
  // Clients may give any name, `__proto__` too.
  const given: Record<string, string | string[]> = Object.create(null);
  // One pass: `getAll` for each name takes time quadratic in their number, and any URL is read on the serving thread.
  for (const [name, value] of searchParams) {
    const earlier = given[name];
    if (earlier === undefined) given[name] = value;
    else if (typeof earlier === "string") given[name] = [earlier, value];
    else earlier.push(value);
  }
  return given;
}

/** Throws Failure `invalid_request`, which names the members of an unexpected body. An empty object is no body. */
function refuseBody(body: Uint8Array): void {
  if (body.length === 0) return;
  let given: unknown;
  try {
    if (body.length <= IDLE_BODY_BYTES_MAX) given = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    // Refused below, as every body that is not an object.
  }
  if (given === null) return;
  if (typeof given !== "object" || Array.isArray(given))
    throw invalid([{ field: "body", message: "must be empty: this request takes none" }]);
  refuseUnknown(Object.keys(given), []);
}
