import type { components, operations } from "./schema.ts";

/** The API's shapes by name, as on the wire. They come from docs/openapi.json and src/wire. */

type Schemas = components["schemas"];

export type Agent = Schemas["Agent"];
export type ApiKey = Schemas["ApiKey"];
export type Approved = Schemas["Approved"];
export type AttachedMessage = Schemas["AttachedMessage"];
export type AttachmentInfo = Schemas["Attachment"];
export type AuditEntry = Schemas["AuditEntry"];
export type Authentication = Schemas["Authentication"];
export type Calendar = Schemas["Calendar"];
export type Conversation = Schemas["Conversation"];
export type Delivery = Schemas["Delivery"];
export type DeliveryDetail = Schemas["DeliveryDetail"];
export type Domain = Schemas["Domain"];
export type Event = Schemas["Event"];
export type EventType = Event["type"];
/** The events of the given types. */
export type EventOf<Type extends EventType> = Extract<Event, { type: Type }>;
export type Forecast = Schemas["Forecast"];
export type InboxMessage = Schemas["InboxMessage"];
export type MessageDetail = Schemas["MessageDetail"];
/** A frame of an agent's WebSocket. */
export type MessageFrame = Schemas["MessageFrame"];
export type MessageSummary = Schemas["MessageSummary"];
export type NewApiKey = Schemas["NewApiKey"];
export type NewSigningSecret = Schemas["NewSigningSecret"];
export type Outbound = Schemas["Outbound"];
export type Overview = Schemas["Overview"];
export type Rejected = Schemas["Rejected"];
export type Sent = Schemas["Sent"];
export type Session = Schemas["Session"];
export type SigningSecret = Schemas["SigningSecret"];
export type Suppression = Schemas["Suppression"];
export type User = Schemas["User"];
export type Webhook = Schemas["Webhook"];
/** The body that an agent's own webhook receives for a message. */
export type WebhookMessage = Schemas["WebhookMessage"];

/** The API's operations, by their ids in docs/openapi.json. */
export type Operation = keyof operations;

type Ok<Responses> = Responses extends { 200: infer R } ? R : Responses extends { 201: infer R } ? R : never;

/** The successful answer of an operation. */
export type Answer<Op extends Operation> =
  Ok<operations[Op]["responses"]> extends { content: { "application/json": infer Body } } ? Body : null;

/** The query of an operation. Times may be Dates, and comma-separated lists may be arrays. */
export type Query<Op extends Operation> = Convenient<NonNullable<operations[Op]["parameters"]["query"]>>;

type Convenient<T> = {
  [K in keyof T]: K extends "since" | "until" ? T[K] | Date : K extends "types" ? T[K] | readonly EventType[] : T[K];
};

/** The body of an operation. */
export type Body<Op extends Operation> =
  NonNullable<operations[Op]["requestBody"]> extends {
    content: { "application/json": infer Given };
  }
    ? WithBytes<Given>
    : never;

/** An attachment to send: base64 as text, or the bytes themselves. */
export interface NewAttachment {
  filename: string;
  /** Default: application/octet-stream. */
  content_type?: string;
  /** A string is base64. */
  data: string | Uint8Array | ArrayBuffer | Blob;
  /** For an image that the HTML shows as `cid:…`. */
  content_id?: string;
}

type WithBytes<T> = "attachments" extends keyof T ? Omit<T, "attachments"> & { attachments?: NewAttachment[] } : T;
