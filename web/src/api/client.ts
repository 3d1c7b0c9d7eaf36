import createClient from "openapi-fetch";
import type { components, paths } from "../../../sdks/typescript/src/schema.ts";
import { ApiError, errorOf, unreachable } from "./problem.ts";

type Schemas = components["schemas"];
export type Agent = Schemas["Agent"];
export type MessageSummary = Schemas["MessageSummary"];
export type MessageDetail = Schemas["MessageDetail"];
export type Authentication = Schemas["Authentication"];
export type Attachment = Schemas["Attachment"];
export type Outbound = Schemas["Outbound"];
export type Conversation = Schemas["Conversation"];
export type Delivery = Schemas["Delivery"];
export type DeliveryDetail = Schemas["DeliveryDetail"];
export type Domain = Schemas["Domain"];
export type Webhook = Schemas["Webhook"];
export type ApiKey = Schemas["ApiKey"];
export type SigningSecret = Schemas["SigningSecret"];
export type Suppression = Schemas["Suppression"];
export type AuditEntry = Schemas["AuditEntry"];
export type Session = Schemas["Session"];
/** One entry of the event log, and one frame of the live socket. */
export type ApiEvent = Schemas["Event"];
export type EventType = ApiEvent["type"];
export type Overview = Schemas["Overview"];
/** A received message in the list of all agents' mail. */
export type InboxMessage = Schemas["InboxMessage"];

/**
 * The API, typed by its description: `await ok(api.GET("/api/v1/agents/{email}", { params: { path: { email } } }))`.
 * The session cookie identifies the user. Every failure is thrown as an ApiError. Without a session the browser goes to
 * the sign-in page, and then back to this page.
 */
export const api = createClient<paths>({ fetch: (request) => fetch(request).catch((cause) => refuse(cause, request)) });

/** How long the browser may take to show the sign-in page. */
const LEAVING_MS = 3_000;
/** Whether the server has refused or ended the session, and accepted no request since. */
let isSignedOut = false;
/** Whether a request that ends the session is under way. */
let isEnding = false;

api.use({
  async onResponse({ response }) {
    if (response.ok) {
      isSignedOut = false;
      return;
    }
    const error = await errorOf(response);
    if (error.status === 401) {
      // Once: a user who stays, to keep what a form contains, must not be asked again after every request.
      if (!isSignedOut && !isEnding) signIn();
      isSignedOut = true;
      // If the browser leaves the page, an error would only flash up.
      await new Promise((resolve) => setTimeout(resolve, LEAVING_MS));
    }
    throw error;
  },
});

/** The body of a successful answer. */
export async function ok<T>(answer: Promise<{ data?: T }>): Promise<T> {
  return (await answer).data as T;
}

/**
 * Makes a request that ends the session, and goes to the sign-in page, which does not lead back here. Throws an ApiError
 * if the session goes on.
 */
export async function endSession(request: () => Promise<unknown>): Promise<void> {
  // The server may close the live socket before it answers. The 401 that the socket then provokes must not lead back.
  isEnding = true;
  try {
    await request();
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  } finally {
    isEnding = false;
  }
  isSignedOut = true;
  location.assign("/api/auth/login");
}

/** Goes to the sign-in page, which leads back here. */
function signIn(): void {
  const here = location.pathname + location.search;
  location.assign(`/api/auth/login?return_to=${encodeURIComponent(here)}`);
}

function refuse(cause: unknown, { method }: Request): never {
  if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
  throw unreachable(cause, method === "GET");
}

/** Makes an Idempotency-Key; `useOnce` decides when to reuse one. */
export function idempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
