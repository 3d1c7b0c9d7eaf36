import { type Static, Type } from "@sinclair/typebox";
import { hasRule } from "../../../approval/gate.ts";
import type { Config } from "../../../config.ts";
import { splitAddress } from "../../../mail.ts";
import { singleAuthor } from "../../../message/author.ts";
import { mailboxField } from "../../../message/fields.ts";
import { scanHeaders } from "../../../message/headers.ts";
import { checkWebhookUrl, type UrlPolicy } from "../../../notify/address-guard.ts";
import { reservedLocalParts, roleLocalParts } from "../../../reserved-names.ts";
import { type Caller, mayUse } from "../../../store/accounts/accounts.ts";
import { type AgentChanges, newAgent } from "../../../store/accounts/agents.ts";
import { healthy, switchedOff, webhookHealth } from "../../../store/events/endpoints.ts";
import type { AgentRow } from "../../../store/schema.ts";
import type { Store } from "../../../store/store.ts";
import { Failure } from "../../../util/errors.ts";
import { Agent } from "../../../wire/agent.ts";
import { optional, page } from "../../../wire/words.ts";
import {
  answer,
  body,
  type Complain,
  changeBody,
  choice,
  flag,
  type Given,
  invalid,
  query,
  text,
  whole,
} from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { checkGate, gateMembers, outsiders, readAllowed, readReviewers } from "./gate-settings.ts";

/** A week: the longest time that a held message may wait. */
const HITL_TTL_SECONDS_MAX = 604_800;
const WEBHOOK_URL_CHARS_MAX = 2_048;
/** Limits of RFC 5321 4.5.3.1.1 and 4.5.3.1.3. */
const LOCAL_PART_CHARS_MAX = 64;
const ADDRESS_CHARS_MAX = 254;

const slugPattern = "^[a-z0-9][a-z0-9-]{0,38}[a-z0-9]$";
/** A dot-atom (RFC 5322 3.2.3) without "+", which begins a sub-address here. */
const localPartPattern = /^[a-z0-9!#$%&'*/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*/=?^_`{|}~-]+)*$/;

const name = text({
  max: 200,
  pattern: "^[^\\x00-\\x1f\\x7f]*$",
  says: "at most 200 characters without line breaks",
  description: "Shown as the sender's name.",
});
export const webhookUrl = text({
  max: WEBHOOK_URL_CHARS_MAX,
  description: "Where a cloud agent's mail is POSTed; https.",
});
const mode = choice(["cloud", "local"], {
  description: "`cloud` gets webhooks; `local` listens on a WebSocket or polls.",
});

const newAgentMembers = {
  slug: Type.Optional(
    text({
      max: 40,
      pattern: slugPattern,
      says: "2 to 40 lower-case letters, digits and hyphens, with no hyphen at either end",
      description: "Makes `<slug>@<shared domain>`. Give this or `email`.",
    }),
  ),
  email: Type.Optional(
    text({ min: 3, max: ADDRESS_CHARS_MAX, description: "An address on a verified domain of yours." }),
  ),
  name: Type.Optional(name),
  webhook_url: Type.Optional(webhookUrl),
  agent_mode: Type.Optional({ ...mode, default: "cloud" }),
};

const changeMembers = {
  name: Type.Optional(name),
  webhook_url: Type.Optional({
    ...webhookUrl,
    description: "Empty removes it; a cloud agent needs one.",
  }),
  agent_mode: Type.Optional(mode),
  hitl_enabled: Type.Optional(
    flag({
      description: "Hold outbound mail until a person approves it. Rules without it switch it on.",
    }),
  ),
  hitl_ttl_seconds: Type.Optional(whole(1, HITL_TTL_SECONDS_MAX)),
  hitl_expiration_action: Type.Optional(choice(["approve", "reject"])),
  hitl_notify_email: Type.Optional(flag()),
  ...gateMembers,
  webhook_status: Type.Optional(
    choice(["enabled", "disabled"], {
      description: "`disabled` keeps deliveries until it is enabled again; a new `webhook_url` enables it too.",
    }),
  ),
  paused: Type.Optional(flag({ description: "Freezes outbound mail and deliveries; `false` releases them." })),
};

/** The column of each member of a change. */
const columns = {
  name: "name",
  webhook_url: "webhookUrl",
  agent_mode: "mode",
  hitl_enabled: "hitlEnabled",
  hitl_ttl_seconds: "hitlTtlSeconds",
  hitl_expiration_action: "hitlExpirationAction",
  hitl_notify_email: "hitlNotifyEmail",
  hitl_rules: "hitlRules",
  hitl_allow: "hitlAllow",
  hitl_reviewers: "hitlReviewers",
  undo_seconds: "undoSeconds",
  paused: "paused",
} as const satisfies Record<Exclude<keyof typeof changeMembers, "webhook_status">, keyof AgentChanges>;

export function agents(deps: RouteDeps) {
  const { config, store, clock } = deps;
  const urlPolicy = webhookUrlPolicy(config);

  /** Failure `invalid_request` for a name that readers could take for another address than the agent's. */
  function requireOwnName(name: string, address: string): void {
    if (singleAuthor(scanHeaders(Buffer.from(mailboxField("From", [{ address, name }]))))) return;
    throw invalid(
      [{ field: "name", message: "contains an address, which readers would take for the sender's" }],
      "Give it a name without an address.",
    );
  }

  const NewAgent = body(newAgentMembers, ({ slug, email, webhook_url, agent_mode }, complain, isWrong) => {
    if (slug === undefined && email === undefined && !isWrong("email")) complain("slug", "is required, or else email");
    if (slug !== undefined && email !== undefined) complain("email", "cannot be given together with slug");
    if (slug !== undefined && reservedLocalParts.has(slug))
      complain("slug", "is reserved for the server: choose another name");
    if (email !== undefined) checkLocalPart(email, complain);
    if (webhook_url) checkUrl(webhook_url, urlPolicy, complain);
    else if (agent_mode !== "local" && !isWrong("agent_mode")) complain("webhook_url", "is required for a cloud agent");
  });

  const AgentChange = changeBody(changeMembers, (given, complain) => {
    if (given.webhook_url) checkUrl(given.webhook_url, urlPolicy, complain);
    checkGate(given, complain);
  });

  async function change(caller: Caller, address: string, { webhook_status, ...wanted }: Given<typeof AgentChange>) {
    requireAccountKey(caller);
    const agent = await ownAgent(store, caller, address);
    refuseRoleMailbox(agent);
    if (wanted.name !== undefined) requireOwnName(wanted.name, agent.id);
    const changes: AgentChanges = Object.fromEntries(
      Object.entries(wanted).map(([member, value]) => [columns[member as keyof typeof columns], value]),
    );
    if (changes.webhookUrl) changes.webhookUrl = checkWebhookUrl(changes.webhookUrl, urlPolicy);
    // Rules set without the gate would look like a gate but hold nothing.
    if (changes.hitlRules && hasRule(changes.hitlRules)) changes.hitlEnabled ??= true;
    if (changes.hitlAllow) changes.hitlAllow = readAllowed(changes.hitlAllow);
    if (changes.hitlReviewers)
      changes.hitlReviewers = await outsiders(store, config.sharedDomain, readReviewers(changes.hitlReviewers));
    const now = new Date(clock.now());
    const isMoved = changes.webhookUrl !== undefined && changes.webhookUrl !== agent.webhookUrl;
    const status = webhook_status ?? (isMoved ? "enabled" : undefined);
    if (status) Object.assign(changes, webhookHealth(status === "enabled" ? healthy : switchedOff(now)));
    const after = await store.updateAgent(agent.id, changes, now);
    if (!after) throw notFound("agent");
    return onWire(store, after);
  }

  /** The new agent's address. Failure `invalid_request` if the caller may not create agents on its domain. */
  async function addressOf(caller: Caller, { slug, email = "" }: Given<typeof NewAgent>): Promise<string> {
    if (slug !== undefined) return `${slug}@${config.sharedDomain}`;
    const domain = splitAddress(email)?.domain ?? "";
    if (domain === config.sharedDomain)
      throw invalid([{ field: "email", message: "is on the shared domain: give slug instead" }]);
    if ((await store.getDomain(caller.user.id, domain))?.verifiedAt) return email.toLowerCase();
    throw invalid(
      [{ field: "email", message: `must be on a verified domain of yours; ${domain} is not one` }],
      "Register the domain with POST /api/v1/domains, publish its records and verify it.",
    );
  }

  return resource("/api/v1/agents")
    .post(
      "",
      async ({ body, caller, exchange, status }) => {
        requireAccountKey(caller);
        const id = await addressOf(caller, body);
        const { name = "" } = body;
        requireOwnName(name, id);
        const row = newAgent(
          {
            id,
            name,
            userId: caller.user.id,
            webhookUrl: body.webhook_url ? checkWebhookUrl(body.webhook_url, urlPolicy) : "",
            mode: body.agent_mode ?? "cloud",
          },
          new Date(clock.now()),
        );
        const shown = await onWire(store, row);
        await store.createAgent(row, config.limits.agentsPerAccount, exchange.keep(201, shown));
        return status(201, shown);
      },
      {
        body: NewAgent,
        response: { 201: answer(Agent) },
        ...operation({
          id: "createAgent",
          tag: "agents",
          summary: "Register an agent",
          description: "With `slug` on the shared domain, at once; with `email` on a verified domain of yours.",
          failures: ["forbidden", "conflict"],
          example: { slug: "my-bot", agent_mode: "local" },
        }),
      },
    )
    .get(
      "",
      async ({ query, caller }) => {
        const only = caller.scope === "agent" ? caller.agentId : null;
        const user = caller.user.id;
        const whole = query.page_size === undefined && query.token === undefined;
        const { rows, next } = whole
          ? { rows: await store.listAgents(user, { only }), next: {} }
          : await readPage<AgentRow, [number, string]>(
              deps.vault,
              query,
              ["agents", user, only],
              (after, limit) =>
                store.listAgents(user, {
                  only,
                  limit,
                  ...(after ? { after: { createdAt: new Date(after[0]), id: after[1] } } : {}),
                }),
              (row) => [row.createdAt.getTime(), row.id],
            );
        return { agents: await allOnWire(store, rows), ...next };
      },
      {
        query: query(pageQuery),
        response: { 200: answer(page("agents", Agent)) },
        ...operation({
          id: "listAgents",
          tag: "agents",
          summary: "List agents",
          description: "Newest first; all of them unless `page_size` is given. A key of one agent sees that one.",
        }),
      },
    )
    .get("/:email", async ({ params, caller }) => onWire(store, await ownAgent(store, caller, params.email)), {
      response: { 200: answer(Agent) },
      ...operation({ id: "getAgent", tag: "agents", summary: "Get an agent" }),
    })
    .put("/:email", ({ params, body, caller }) => change(caller, params.email, body), {
      body: AgentChange,
      response: { 200: answer(Agent) },
      ...operation({
        id: "updateAgent",
        tag: "agents",
        summary: "Change an agent",
        description: "Changes only the members given, all of them or none. PATCH is the same.",
        failures: ["forbidden"],
        example: { name: "My bot", paused: true },
      }),
    })
    .patch("/:email", ({ params, body, caller }) => change(caller, params.email, body), {
      body: AgentChange,
      response: { 200: answer(Agent) },
      ...operation({ id: "patchAgent", tag: "agents", summary: "Change an agent", failures: ["forbidden"] }),
    })
    .delete(
      "/:email",
      async ({ params, caller }) => {
        requireAccountKey(caller);
        const agent = await ownAgent(store, caller, params.email);
        refuseRoleMailbox(agent);
        if (!(await store.deleteAgent(agent.id, new Date(clock.now()), caller.proofId))) throw notFound("agent");
        return { status: "deleted" as const };
      },
      {
        response: { 200: answer(Type.Object({ status: Type.Literal("deleted") })) },
        ...operation({
          id: "deleteAgent",
          tag: "agents",
          summary: "Delete an agent with its messages and keys",
          failures: ["forbidden"],
        }),
      },
    )
    .post(
      "/:email/test",
      async ({ params, caller }) => {
        const { messageId } = await deps.sendTestMail(await ownAgent(store, caller, params.email));
        return { status: "sent" as const, message_id: messageId };
      },
      {
        response: { 200: answer(Type.Object({ status: Type.Literal("sent"), message_id: Type.String() })) },
        ...operation({
          id: "testAgent",
          tag: "agents",
          summary: "Send the agent a test message",
          description: "From the relay itself, through the whole inbound path.",
          failures: ["unavailable"],
        }),
      },
    );
}

/** Finds the agent or role mailbox of this address, in any case. Failure `not_found` if the caller may not use it. */
export async function ownAgent(store: Store, caller: Caller, address: string): Promise<AgentRow> {
  const agent = await store.getAgent(address.toLowerCase());
  if (!agent || !mayUse(caller, agent)) throw notFound("agent");
  return agent;
}

/** Throws Failure `forbidden` for a key that is bound to one agent. */
export function requireAccountKey(caller: Caller): void {
  if (caller.scope === "account") return;
  throw new Failure("forbidden", `This key may only use the inbox of ${caller.agentId}.`, {
    fix: "Use a key of scope `account`.",
  });
}

function refuseRoleMailbox(agent: AgentRow): void {
  if (agent.role)
    throw new Failure("forbidden", `${agent.id} is the domain's own mailbox; it cannot be changed or deleted.`, {
      fix: "To remove it, delete the domain.",
    });
}

function checkLocalPart(email: string, complain: Complain): void {
  const local = splitAddress(email)?.local ?? "";
  if (roleLocalParts.includes(local)) complain("email", "is reserved: this local part belongs to the domain itself");
  else if (local.length > LOCAL_PART_CHARS_MAX || !localPartPattern.test(local))
    complain(
      "email",
      "must be an address whose local part has at most 64 ASCII letters, digits or .!#$%&'*/=?^_`{|}~-",
    );
}

/** Reports a webhook URL to which deliveries are not allowed. */
export function checkUrl(url: string, policy: UrlPolicy, complain: Complain, field = "webhook_url"): void {
  try {
    checkWebhookUrl(url, policy);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const messages = (error.details.errors ?? []).map((complaint) => complaint.message);
    complain(field, `cannot be used. ${messages.join(" ")}`);
  }
}

/** The rule for webhook URLs at registration; the same rule applies when connecting. */
export function webhookUrlPolicy(config: Config): UrlPolicy {
  return {
    allowHttp: config.env === "development",
    allowLoopback: config.env === "development",
    allowedNetworks: config.webhook.allowedNetworks,
  };
}

async function onWire(store: Store, agent: AgentRow) {
  return agentOnWire(agent, (await store.hostedDomain(agent.domain)) !== null);
}

async function allOnWire(store: Store, rows: AgentRow[]) {
  const names = [...new Set(rows.map((row) => row.domain))];
  const hosted = await Promise.all(names.map((name) => store.hostedDomain(name)));
  const verified = new Set(hosted.map((domain) => domain?.domain));
  return rows.map((row) => agentOnWire(row, verified.has(row.domain)));
}

export function agentOnWire(row: AgentRow, domainVerified: boolean): Static<typeof Agent> {
  return {
    id: row.id,
    domain: row.domain,
    email: row.id,
    name: row.name,
    webhook_url: row.webhookUrl,
    webhook_status: row.webhookDisabledAt === null ? "enabled" : "disabled",
    ...optional("webhook_failing_since", row.webhookFailingSince?.toISOString()),
    ...optional("webhook_disabled_reason", row.webhookDisabledReason ?? undefined),
    agent_mode: row.mode,
    domain_verified: domainVerified,
    created_at: row.createdAt.toISOString(),
    hitl_enabled: row.hitlEnabled,
    hitl_ttl_seconds: row.hitlTtlSeconds,
    hitl_expiration_action: row.hitlExpirationAction,
    hitl_notify_email: row.hitlNotifyEmail,
    hitl_rules: row.hitlRules,
    hitl_allow: row.hitlAllow,
    hitl_reviewers: row.hitlReviewers,
    undo_seconds: row.undoSeconds,
    paused: row.paused,
  };
}
