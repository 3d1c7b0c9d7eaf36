/** e2a, email for AI agents: the client for TypeScript and JavaScript. */
export type { RetryHooks } from "./backoff.ts";
export { type ClientOptions, E2AClient } from "./client.ts";
export {
  APIError,
  AuthenticationError,
  ConflictError,
  ConnectionClosedError,
  E2AConnectionError,
  E2AError,
  E2ATimeoutError,
  type FieldError,
  ForbiddenError,
  InvalidRequestError,
  ListenerReplacedError,
  NotFoundError,
  RateLimitError,
  ServerError,
  UnprocessableError,
  UnverifiedEmailError,
  type UnverifiedReason,
} from "./errors.ts";
export type { CallOptions, Fetch, PostOptions, RetryPolicy } from "./http.ts";
export type { List } from "./list.ts";
export type { ListenOptions } from "./listen.ts";
export type { Attachment, Message } from "./message.ts";
export {
  type NodeRequest,
  type NodeResponse,
  nodeWebhookHandler,
  type OnEvent,
  type ReceiveOptions,
  webhookHandler,
} from "./receive.ts";
export type { FollowOptions } from "./resources/events.ts";
export type { ReplyBody } from "./resources/messages.ts";
export type { OfAgent } from "./resources/resource.ts";
export type { WebSocketConstructor, WebSocketLike } from "./socket.ts";
export type * from "./types.ts";
export type { HeadersInput } from "./verify.ts";
export type { Arrival, WatchOptions } from "./watch.ts";
export {
  type AccountEvent,
  type MailEvent,
  type ParseOptions,
  type Proven,
  parseWebhook,
  type WebhookEvent,
} from "./webhook.ts";
