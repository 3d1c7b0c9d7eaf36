import { domainRecords } from "../../../domains/records.ts";
import { eventBody } from "../../../notify/webhook.ts";
import type { EventPage, EventPosition } from "../../../store/events/events.ts";
import type { OutboundPlace } from "../../../store/outbound/outbound.ts";
import type { AgentRow, UserRow } from "../../../store/schema.ts";
import type { Store } from "../../../store/store.ts";
import { Failure } from "../../../util/errors.ts";
import { joined, jsonPieces } from "../../../util/pieces.ts";
import { type Identity, watchStanding } from "../../framework/identity.ts";
import type { Exchange, RouteDeps } from "../../framework/resource.ts";
import { sessionOnWire } from "../../sign-in/sessions.ts";
import { asBase64, detailOnWire } from "../mail/message-wire.ts";
import { readOutbound } from "../mail/outbound-list.ts";
import { withBodyOnWire } from "../mail/outbound-wire.ts";
import { agentOnWire } from "./agents.ts";
import { domainOnWire } from "./domains.ts";
import { keyOnWire } from "./keys.ts";
import { secretOnWire } from "./secrets.ts";
import { suppressionOnWire } from "./suppressions.ts";
import { userOnWire } from "./user-wire.ts";
import { webhookOnWire } from "./webhooks.ts";

/** Rows read at once. The bytes of messages are read one by one. */
const PAGE = 100;

const RETRY_AFTER_SECONDS = 30;
/** Accounts with an export in progress. Each may have one, because a piece may be a whole message, several times. */
const underWay = new WeakMap<Store, Set<string>>();

/**
 * Exports everything that an account owns as one JSON document, built while the client reads it, one piece per turn. It
 * contains no usable credentials. It breaks off if the caller's key or session ends. Failure `overloaded` while another
 * export of the account is in progress.
 */
export function exportAccount(
  deps: RouteDeps,
  caller: Identity,
  { signal, turn }: Pick<Exchange, "signal" | "turn">,
): ReadableStream<Uint8Array> {
  const { user } = caller;
  const requireStanding = watchStanding(deps, caller);
  const exports = underWay.get(deps.store) ?? new Set();
  underWay.set(deps.store, exports);
  if (exports.has(user.id))
    throw new Failure("overloaded", "An export of this account is in progress.", {
      fix: "Read it to its end, or close it.",
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  exports.add(user.id);
  const end = () => {
    exports.delete(user.id);
    signal.removeEventListener("abort", end);
  };
  signal.addEventListener("abort", end);
  const pieces = piecesOf(deps, user);
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      try {
        signal.throwIfAborted();
        await turn();
        await requireStanding();
        const piece = await pieces.next();
        if (piece.done) {
          end();
          controller.close();
        } else controller.enqueue(encoder.encode(piece.value));
      } catch (error) {
        end();
        // The status was sent long ago; only a broken stream can still say that the export is incomplete.
        if (error instanceof Failure) deps.log.warn("export.ended", { user: user.id }, error);
        else if (!signal.aborted) deps.log.error("export.failed", { user: user.id }, error);
        controller.error(error);
      }
    },
    async cancel() {
      end();
      await pieces.return(undefined);
    },
  });
}

async function* piecesOf(deps: RouteDeps, user: UserRow): AsyncGenerator<string, void> {
  const { store, config, clock } = deps;
  const domains = await store.listDomains(user.id);
  const agents = await store.listAgents(user.id);
  const hosted = new Set([config.sharedDomain, ...domains.filter((d) => d.verifiedAt).map((d) => d.domain)]);
  function* member(name: string, value: unknown) {
    yield `,\n"${name}":`;
    yield* joined(jsonPieces(value));
  }
  yield `{"user":${JSON.stringify(userOnWire(user))}`;
  yield* member("keys", (await store.listKeys(user.id)).map(keyOnWire));
  yield* member("sessions", (await store.listSessions(user.id, new Date(clock.now()))).map(sessionOnWire));
  yield* member("secrets", (await store.listSecrets(user.id)).map(secretOnWire));
  yield* member(
    "domains",
    domains.map((domain) => domainOnWire(domain, domainRecords(domain, config.smtp.domain), undefined)),
  );
  yield* member(
    "agents",
    agents.map((agent) => agentOnWire(agent, hosted.has(agent.domain))),
  );
  yield* member("webhooks", (await store.listWebhooks(user.id)).map(webhookOnWire));
  yield* list("suppressions", suppressionsOf(store, user));
  yield* list("messages", messagesOf(store, [...agents, ...(await roleMailboxes(store, user, hosted))]));
  yield* list("outbound_messages", outboundOf(deps, user));
  yield* list("events", eventsOf(store, user));
  yield "}\n";
}

/** A member with a list, written one entry at a time. */
async function* list(name: string, entries: AsyncIterable<unknown>): AsyncGenerator<string, void> {
  yield `,\n"${name}":[`;
  let separator = "\n";
  for await (const entry of entries) {
    yield separator;
    yield* joined(jsonPieces(entry));
    separator = ",\n";
  }
  yield "\n]";
}

async function* suppressionsOf(store: Store, user: UserRow) {
  for (let page = await store.listSuppressions(user.id, { limit: PAGE }); ; ) {
    yield* page.map(suppressionOnWire);
    const after = page.at(-1);
    if (!after || page.length < PAGE) return;
    page = await store.listSuppressions(user.id, { after, limit: PAGE });
  }
}

async function* eventsOf(store: Store, user: UserRow) {
  const owner = { userId: user.id, agentId: null };
  for (let after: EventPosition | null = null; ; ) {
    const { rows }: EventPage = await store.readEvents(owner, { after, sort: "asc", types: [], limit: PAGE });
    yield* rows.map(eventBody);
    const last = rows.at(-1);
    if (!last) return;
    after = last;
  }
}

async function* outboundOf(deps: RouteDeps, user: UserRow) {
  const { store } = deps;
  for (let after: OutboundPlace | undefined; ; ) {
    const page = { sort: "asc", limit: PAGE, after } as const;
    const { rows }: { rows: OutboundPlace[] } = await readOutbound(
      store,
      user.id,
      {},
      page,
      ({ message }) => message.id,
    );
    for (const { id } of rows) {
      const [outbound, raw] = [await store.getOutbound(user.id, id), await store.outboundBytes(id)];
      if (outbound && raw) yield { ...(await withBodyOnWire(outbound, deps)), raw_message: asBase64(raw) };
    }
    after = rows.at(-1);
    if (!after || rows.length < PAGE) return;
  }
}

async function* messagesOf(store: Store, mailboxes: AgentRow[]) {
  for (const mailbox of mailboxes) yield* receivedBy(store, mailbox);
}

async function* receivedBy(store: Store, mailbox: AgentRow) {
  for (let after = 0; ; ) {
    const rows = await store.listMessages(mailbox.id, {}, { sort: "asc", after, limit: PAGE });
    for (const row of rows) {
      const mail = await store.getMessage(mailbox.id, row.id);
      if (!mail) continue;
      const { auth_headers: _, ...message } = detailOnWire(mail, {});
      yield { agent: mailbox.id, ...message };
    }
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = last.seq;
  }
}

/** The postmaster mailboxes, which lists of agents leave out. */
async function roleMailboxes(store: Store, user: UserRow, domains: Iterable<string>): Promise<AgentRow[]> {
  const found = await Promise.all([...domains].map((domain) => store.getAgent(`postmaster@${domain}`)));
  return found.filter((mailbox) => mailbox !== null && mailbox.userId === user.id) as AgentRow[];
}
