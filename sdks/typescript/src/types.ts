import type { components, operations } from "./schema.ts";

/** The API's shapes by their names, as they are on the wire. They come from docs/openapi.json and src/wire. */

type Schemas = components["schemas"];

export type Agent = Schemas["Agent"];
export type ApiKey = Schemas["ApiKey"];
export type Approved = Schemas["Approved"];
export type AttachmentInfo = Schemas["Attachment"];
export type AuditEntry = Schemas["AuditEntry"];
export type Authentication = Schemas["Authentication"];
export type Conversation = Schemas["Conversation"];
export type Delivery = Schemas["Delivery"];
export type DeliveryDetail = Schemas["DeliveryDetail"];
export type Domain = Schemas["Domain"];
export type Event = Schemas["Event"];
export type EventType = Event["type"];
/** The events of some types. */
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
/** A message as an agent's own webhook brings it. */
export type WebhookMessage = Schemas["WebhookMessage"];

/** The operations of the API, by the ids that docs/openapi.json gives them. */
export type Operation = keyof operations;

type Ok<Responses> = Responses extends { 200: infer R } ? R : Responses extends { 201: infer R } ? R : never;

/** What an operation answers when all is well. */
export type Answer<Op extends Operation> =
  Ok<operations[Op]["responses"]> extends { content: { "application/json": infer Body } } ? Body : null;

/** What an operation may be asked in its query; times may be Dates, and lists with commas lists. */
export type Query<Op extends Operation> = Convenient<NonNullable<operations[Op]["parameters"]["query"]>>;

type Convenient<T> = {
  [K in keyof T]: K extends "since" | "until" ? T[K] | Date : K extends "types" ? T[K] | readonly EventType[] : T[K];
};

/** The body that an operation takes. */
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
  /** Text is base64. */
  data: string | Uint8Array | ArrayBuffer | Blob;
  /** For a picture that the HTML shows as `cid:…`. */
  content_id?: string;
}

type WithBytes<T> = "attachments" extends keyof T ? Omit<T, "attachments"> & { attachments?: NewAttachment[] } : T;
