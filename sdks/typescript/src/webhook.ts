import { fromBase64, variable } from "./environment.ts";
import { E2AError } from "./errors.ts";
import type { Event, WebhookMessage } from "./types.ts";
import {
  type HeadersInput,
  hasProof,
  macsOf,
  type Proof,
  sha256,
  unverified,
  valuesOf,
  verifyProof,
  verifyStandard,
} from "./verify.ts";

/**
 * Which part of a webhook request was proven. `body`: every byte of it. `message`: the mail and the server's statements
 * about it, but nothing else in the body.
 */
export type Proven = "body" | "message";

/** Mail from an agent's own webhook: the whole message. */
export interface MailEvent {
  source: "agent";
  type: "message.received";
  /** The same for each attempt; null if only the message was proven. */
  id: string | null;
  timestamp: string | null;
  /** The agent's address; null if only the message was proven. */
  agent_id: string | null;
  proven: Proven;
  data: WebhookMessage;
}

type OfAccount<E> = E extends Event
  ? Omit<E, "agent_id"> & { source: "account"; agent_id: string | null; proven: "body" }
  : never;

/** An event of the event log, from an account's webhook. */
export type AccountEvent = OfAccount<Event>;

/** The content of a verified webhook request. */
export type WebhookEvent = MailEvent | AccountEvent;

export interface ParseOptions {
  /** The current time, for checking ages. Default: now. */
  now?: Date;
  /**
   * Allows reading members of the body that no signature covers, if only the message was proven. Use it only for
   * requests that are authenticated in another way, such as by the token of `e2a listen --forward-token`.
   */
  allowUnsignedFields?: boolean;
}

/** The members that a proof of the message alone covers, or that follow from it. */
const signedFields = ["type", "message_id", "from", "verified", "raw_message", "auth_headers"];

/**
 * Verifies a webhook request and returns its event. It first checks the signatures over the body and the mail, the
 * mail's hash and the age.
 *
 * @param body the raw body, before any JSON parsing
 * @param headers the request's headers; without them only the mail itself can be proven, by `auth_headers` in the body
 * @param secrets signing secrets, one of which must have signed. Default: `E2A_WEBHOOK_SECRET`, separated by commas
 * @throws {UnverifiedEmailError} with the `reason`
 */
export async function parseWebhook(
  body: string | Uint8Array | ArrayBuffer,
  headers?: HeadersInput | null,
  secrets?: string | readonly string[],
  options: ParseOptions = {},
): Promise<WebhookEvent> {
  const macs = await macsOf(secretsOf(secrets));
  const nowMs = (options.now ?? new Date()).getTime();
  const bytes = bytesOf(body);
  const values = valuesOf(headers);

  const isBodyProven = values.has("webhook-signature");
  if (isBodyProven) await verifyStandard(values, bytes, macs, nowMs);
  const parsed = jsonObject(bytes);
  if (!parsed && (isBodyProven || hasProof(values))) throw unverified("malformed", "its body is not a JSON object");

  const proofValues = hasProof(values) ? values : valuesOf(authHeadersIn(parsed));
  const isOfAccount = isBodyProven && isObject(parsed?.data);
  if (!isBodyProven || hasProof(proofValues)) {
    const proof = await verifyProof(proofValues, macs, nowMs);
    await verifyMessage(proof, parsed ?? {}, isOfAccount, isBodyProven);
    if (!isBodyProven) return provenMessage(parsed ?? {}, proof, options.allowUnsignedFields ?? false);
  }
  return provenBody(parsed ?? {}, isOfAccount);
}

/** Checks that the proof matches the body: the same bytes of mail, the same message. Throws if not. */
async function verifyMessage(proof: Proof, body: Json, isOfAccount: boolean, isBodyProven: boolean): Promise<void> {
  const about = isOfAccount ? (body.data as Json) : body;
  const raw = typeof body.raw_message === "string" ? fromBase64(body.raw_message) : null;
  const isSame =
    (raw ? (await sha256(raw)) === proof.bodyHash : isBodyProven && body.raw_message === undefined) &&
    about.message_id === proof.messageId &&
    (about.verified === undefined || about.verified === proof.verified);
  if (!isSame) throw unverified("body", "the mail in it is not the one that was signed");
}

function provenBody(body: Json, isOfAccount: boolean): WebhookEvent {
  if (isOfAccount)
    return { ...body, agent_id: body.agent_id ?? null, source: "account", proven: "body" } as unknown as AccountEvent;
  const data = body as unknown as WebhookMessage;
  return {
    source: "agent",
    type: "message.received",
    proven: "body",
    id: data.event_id ?? null,
    timestamp: data.received_at ?? null,
    agent_id: agentOf(data.recipient),
    data,
  };
}

/** Makes an event whose signed members can be read. Other members throw, unless the caller allows them. */
function provenMessage(body: Json, proof: Proof, isAllowed: boolean): MailEvent {
  const data: Json = isAllowed ? { ...body } : {};
  // Not enumerable, so that printing or copying an event does not throw.
  for (const name of isAllowed ? [] : Object.keys(body).filter((one) => !signedFields.includes(one)))
    Object.defineProperty(data, name, {
      get() {
        throw unverified(
          "unsigned_field",
          `"${name}" is not covered by the signature; hand over the request's headers, or fetch the message`,
        );
      },
    });
  Object.assign(data, {
    type: "message.received",
    message_id: proof.messageId,
    verified: proof.verified,
    from: isAllowed ? (body.from ?? proof.sender) : proof.sender,
    raw_message: body.raw_message,
    auth_headers: proof.headers,
  });
  return {
    source: "agent",
    type: "message.received",
    proven: "message",
    id: null,
    timestamp: null,
    agent_id: null,
    data: data as unknown as WebhookMessage,
  };
}

/** "bot+news@example.com" → "bot@example.com": the part after "+" is a sub-address of the agent. */
function agentOf(recipient: string | undefined): string | null {
  if (recipient === undefined) return null;
  const at = recipient.lastIndexOf("@");
  const plus = recipient.slice(0, Math.max(0, at)).lastIndexOf("@") + 1;
  const tag = recipient.indexOf("+", plus);
  return tag >= 0 && tag < at ? recipient.slice(0, tag) + recipient.slice(at) : recipient;
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function jsonObject(bytes: Uint8Array): Json | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** The auth headers inside the body. */
function authHeadersIn(body: Json | null): Record<string, string> {
  const found = Object.entries(isObject(body?.auth_headers) ? body.auth_headers : {});
  return Object.fromEntries(found.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

function bytesOf(body: string | Uint8Array | ArrayBuffer): Uint8Array<ArrayBuffer> {
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body);
  throw new E2AError(
    "parseWebhook needs the body as it came, as text or bytes: the signature covers its bytes, which are lost once it is parsed.",
  );
}

/** The secrets, given or from the environment. Throws if there are none. */
export function secretsOf(given?: string | readonly string[]): string[] {
  const secrets = given ?? variable("E2A_WEBHOOK_SECRET");
  const list = typeof secrets === "string" ? secrets.split(",").map((one) => one.trim()) : [...(secrets ?? [])];
  if (list.length === 0)
    throw new E2AError(
      "There is no webhook secret. Pass `secrets`, or set E2A_WEBHOOK_SECRET; several go with commas.",
    );
  return list;
}
