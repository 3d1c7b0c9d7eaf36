import type * as Sdk from "../../src/index.ts";

/** The contract's names for calls and iterators, in terms of this SDK. */

// biome-ignore lint/suspicious/noExplicitAny: the contract's data decides what a call is given.
type Args = Record<string, any>;
type Call = (client: Sdk.E2AClient, args: Args) => PromiseLike<unknown>;

const text = (bytes: Uint8Array) => ({ text: new TextDecoder().decode(bytes) });
const get = (client: Sdk.E2AClient, { agent, id, peek }: Args) => client.messages.get(id, { agent, peek });

/** A message object's own fields, as the contract shows them. */
export function shownMessage(message: Sdk.Message) {
  const { id, text, html, replyText, from, subject, verified } = message;
  const attachments = message.attachments.map(({ filename }) => filename);
  return {
    message_id: id,
    text,
    html,
    reply_text: replyText,
    from,
    subject,
    verified,
    attachments,
    status: message.data.status,
  };
}

const calls: Record<string, Call> = {
  info: (client) => client.info(),
  health: (client) => client.health(),
  "account.get": (client) => client.account.get(),
  "account.update": (client, args) => client.account.update(args as never),
  "account.overview": (client) => client.account.overview(),
  "agents.create": (client, args) => client.agents.create(args),
  "agents.get": (client, { agent }) => client.agents.get(agent),
  "agents.update": (client, { agent, ...body }) => client.agents.update(agent, body),
  "agents.delete": (client, { agent }) => client.agents.delete(agent),
  "agents.test": (client, { agent }) => client.agents.test(agent),
  "agents.check": (client, { agent, ...body }) => client.agents.check(agent, body as never),
  "domains.create": (client, args) => client.domains.create(args as never),
  "domains.get": (client, { domain }) => client.domains.get(domain),
  "domains.update": (client, { domain, ...body }) => client.domains.update(domain, body as never),
  "domains.delete": (client, { domain }) => client.domains.delete(domain),
  "domains.verify": (client, { domain }) => client.domains.verify(domain),
  "messages.get": async (client, args) => (await get(client, args)).data,
  "messages.update": (client, { agent, id, ...body }) => client.messages.update(id, body, { agent }),
  "messages.delete": (client, { agent, id }) => client.messages.delete(id, { agent }),
  "messages.wait": (client, args) => client.messages.wait(args),
  "messages.raw": async (client, { agent, id }) => text(await client.messages.raw(id, { agent })),
  "messages.reply": (client, { agent, id, ...body }) => client.messages.reply(id, body as never, { agent }),
  "messages.forward": (client, { agent, id, ...body }) => client.messages.forward(id, body, { agent }),
  async "messages.attachment"(client, { agent, id, index }) {
    const message = await client.messages.get(id, { agent, peek: true });
    const found = message.attachments[index];
    if (!found) return client.messages.attachment(id, index, { agent });
    const bytes = await found.download();
    return { filename: found.filename, content_type: found.contentType, size: found.size, ...text(bytes) };
  },
  "message.read": async (client, args) => shownMessage(await get(client, args)),
  "message.reply": async (client, { agent, id, peek, ...body }) =>
    (await get(client, { agent, id, peek })).reply(body as never),
  "message.reply_all": async (client, { agent, id, peek, ...body }) =>
    (await get(client, { agent, id, peek })).replyAll(body as never),
  "message.forward": async (client, { agent, id, peek, ...body }) =>
    (await get(client, { agent, id, peek })).forward(body),
  send: (client, { idempotency_key, ...body }) => client.send(body as never, { idempotencyKey: idempotency_key }),
  "outbox.get": (client, { id }) => client.outbox.get(id),
  "outbox.raw": async (client, { id }) => text(await client.outbox.raw(id)),
  "outbox.cancel": (client, { id }) => client.outbox.cancel(id),
  "outbox.release": (client, { id }) => client.outbox.release(id),
  "approvals.approve": (client, { id, ...body }) => client.approvals.approve(id, body),
  "approvals.reject": (client, { id, ...body }) => client.approvals.reject(id, body),
  "keys.create": (client, args) => client.keys.create(args as never),
  "keys.delete": (client, { id }) => client.keys.delete(id),
  "secrets.create": (client, args) => client.secrets.create(args),
  "secrets.delete": (client, { id }) => client.secrets.delete(id),
  "webhooks.create": (client, args) => client.webhooks.create(args as never),
  "webhooks.get": (client, { id }) => client.webhooks.get(id),
  "webhooks.update": (client, { id, ...body }) => client.webhooks.update(id, body),
  "webhooks.delete": (client, { id }) => client.webhooks.delete(id),
  "webhooks.test": (client, { id }) => client.webhooks.test(id),
  "deliveries.get": (client, { id }) => client.deliveries.get(id),
  "deliveries.redeliver": (client, { id }) => client.deliveries.redeliver(id),
  "deliveries.redeliver_since": (client, args) => client.deliveries.redeliverSince(args as never),
  "events.get": (client, { id }) => client.events.get(id),
  "events.schemas": (client) => client.events.schemas(),
  "suppressions.create": (client, args) => client.suppressions.create(args as never),
  "suppressions.get": (client, { address }) => client.suppressions.get(address),
  "suppressions.delete": (client, { address }) => client.suppressions.delete(address),
};

const lists: Record<string, (client: Sdk.E2AClient, args: Args) => Sdk.List<unknown, unknown>> = {
  agents: (client, args) => client.agents.list(args),
  approvals: (client, args) => client.approvals.list(args),
  audit: (client, args) => client.audit.list(args),
  conversations: (client, args) => client.conversations.list(args),
  deliveries: (client, args) => client.deliveries.list(args),
  domains: (client, args) => client.domains.list(args),
  events: (client, args) => client.events.list(args),
  inbox: (client, args) => client.inbox.list(args),
  keys: (client) => client.keys.list(),
  messages: (client, args) => client.messages.list(args),
  outbox: (client, args) => client.outbox.list(args),
  secrets: (client) => client.secrets.list(),
  sessions: (client) => client.sessions.list(),
  suppressions: (client, args) => client.suppressions.list(args),
  webhooks: (client) => client.webhooks.list(),
};

/** Makes a call by its name in the contract. Returns null for a call without a result. */
export async function call(client: Sdk.E2AClient, name: string, args: Args): Promise<unknown> {
  const [resource = "", method] = name.split(".");
  const list = lists[resource];
  if (list && method === "list") return list(client, args);
  if (list && method === "list_all") {
    const items: unknown[] = [];
    for await (const item of list(client, args)) items.push(item);
    return { items };
  }
  // Awaiting a list gives its first page.
  if (name === "conversations.get") {
    const { id, ...query } = args;
    return client.conversations.get(id, query);
  }
  const made = calls[name];
  if (!made) throw new Error(`The contract has an unknown call ${name}.`);
  return (await made(client, args)) ?? null;
}

/** Starts an iteration by its name in the contract. */
export function iterate(client: Sdk.E2AClient, name: string, args: Args): AsyncGenerator<unknown> {
  if (name === "listen") return client.listen(args.agent);
  if (name === "events.follow") return client.events.follow(args);
  throw new Error(`The contract has an unknown iterator ${name}.`);
}
