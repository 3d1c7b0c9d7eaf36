import { Type } from "@sinclair/typebox";
import type { LabelledMessage } from "../../../store/mail/messages.ts";
import { InboxMessage } from "../../../wire/message.ts";
import { page } from "../../../wire/words.ts";
import { answer, choice, query, text, time } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { ownAgent } from "../account/agents.ts";
import { inboxOnWire } from "./message-wire.ts";

/** The route for what all mailboxes of an account have received, in one list. */
export function inbox(deps: RouteDeps) {
  const { store, vault } = deps;

  return resource("/api/v1/inbox").get(
    "",
    async ({ query, caller }) => {
      const { status = "all", q, from, label, since, until, sort = "desc" } = query;
      const filter = {
        ...(status === "all" ? {} : { status }),
        ...(q ? { q } : {}),
        ...(from ? { from: from.toLowerCase() } : {}),
        ...(label ? { label } : {}),
        ...(since ? { since } : {}),
        ...(until ? { until } : {}),
      };
      const address = query.agent ?? caller.agentId;
      const { rows, next } =
        address === null
          ? await readPage<LabelledMessage, [number, string]>(
              vault,
              query,
              ["inbox", caller.user.id, sort, filter],
              (after, limit) => {
                const cursor = after ? { after: { createdAt: new Date(after[0]), id: after[1] } } : {};
                return store.listInbox(caller.user.id, filter, { sort, limit, ...cursor });
              },
              (row) => [row.createdAt.getTime(), row.id],
            )
          : await ofAgent((await ownAgent(store, caller, address)).id);
      return { messages: rows.map(inboxOnWire), ...next };

      function ofAgent(id: string) {
        return readPage<LabelledMessage, [number]>(
          vault,
          query,
          ["inbox", id, sort, filter],
          (after, limit) => store.listMessages(id, filter, { sort, limit, ...(after ? { after: after[0] } : {}) }),
          (row) => [row.seq],
        );
      }
    },
    {
      query: query({
        status: Type.Optional(choice(["unread", "read", "all"], { default: "all" })),
        q: Type.Optional(
          text({
            max: 1_000,
            description: "Words that each begin a word of the subject, addresses, text or file names.",
          }),
        ),
        agent: Type.Optional(text({ max: 254, description: "Only what this agent has received." })),
        from: Type.Optional(text({ max: 320, description: "The From address." })),
        label: Type.Optional(text({ max: 64 })),
        since: Type.Optional(time({ description: "Received at or after this time." })),
        until: Type.Optional(time({ description: "Received before this time." })),
        sort: Type.Optional(choice(["asc", "desc"], { default: "desc", description: "`desc`: newest first." })),
        ...pageQuery,
      }),
      response: { 200: answer(page("messages", InboxMessage)) },
      ...operation({
        id: "listInbox",
        tag: "messages",
        summary: "List or search what all agents have received",
        description:
          "Newest first, read and unread, mail to postmaster of your domains included. A key of one agent sees that one's.",
        failures: ["not_found"],
      }),
    },
  );
}
