import type { AgentRow, UserRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { domainRecords } from "./domain-records.ts";
import type { RouteDeps } from "./resource.ts";
import { agentOnWire, detailOnWire, domainOnWire, keyOnWire, secretOnWire, userOnWire } from "./wire.ts";

/** Messages whose rows are read at once; their bytes come one by one. */
const PAGE = 100;

/** All that an account owns as one JSON document, made while it is read. Nothing in it opens anything. */
export function exportAccount(deps: RouteDeps, user: UserRow, signal: AbortSignal): ReadableStream<Uint8Array> {
  const pieces = piecesOf(deps, user);
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      try {
        signal.throwIfAborted();
        const piece = await pieces.next();
        if (piece.done) controller.close();
        else controller.enqueue(encoder.encode(piece.value));
      } catch (error) {
        // The status has gone out long ago; a broken stream is the only way left to say that it is not whole.
        if (!signal.aborted) deps.log.error("export.failed", { user: user.id }, error);
        controller.error(error);
      }
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}

async function* piecesOf({ store, config }: RouteDeps, user: UserRow): AsyncGenerator<string, void> {
  const domains = await store.listDomains(user.id);
  const agents = await store.listAgents(user.id);
  const hosted = new Set([config.sharedDomain, ...domains.filter((d) => d.verifiedAt).map((d) => d.domain)]);
  const member = (name: string, value: unknown) => `,\n"${name}":${JSON.stringify(value)}`;
  yield `{"user":${JSON.stringify(userOnWire(user))}`;
  yield member("keys", (await store.listKeys(user.id)).map(keyOnWire));
  yield member("secrets", (await store.listSecrets(user.id)).map(secretOnWire));
  yield member(
    "domains",
    domains.map((domain) => domainOnWire(domain, domainRecords(domain, config.smtp.domain), undefined)),
  );
  yield member(
    "agents",
    agents.map((agent) => agentOnWire(agent, hosted.has(agent.domain))),
  );
  yield `,\n"messages":[`;
  let separator = "\n";
  for (const mailbox of [...agents, ...(await roleMailboxes(store, user, hosted))])
    for await (const message of messagesOf(store, mailbox)) {
      yield separator + JSON.stringify({ agent: mailbox.id, ...message });
      separator = ",\n";
    }
  yield "\n]}\n";
}

async function* messagesOf(store: Store, mailbox: AgentRow) {
  for (let after = 0; ; ) {
    const rows = await store.listMessages(mailbox.id, {}, { sort: "asc", after, limit: PAGE });
    for (const row of rows) {
      const mail = await store.getMessage(mailbox.id, row.id);
      if (!mail) continue;
      const { auth_headers: _, ...message } = detailOnWire(mail, {});
      yield message;
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
