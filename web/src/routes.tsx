import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  useRouterState,
} from "@tanstack/react-router";
import { eventTypes } from "../../src/wire/event-types.ts";
import type { Delivery, EventType } from "./api/client.ts";
import type { OutboundStatus } from "./api/outbound.ts";
import { NotFound, PageError } from "./app/fallbacks.tsx";
import { Shell } from "./app/shell.tsx";

const root = createRootRoute({ component: Root });

/** The layout: nearly all pages are inside the shell. */
function Root() {
  const bare = useRouterState({ select: ({ matches }) => matches.some(({ staticData }) => staticData.bare) });
  return bare ? <Outlet /> : <Shell />;
}

/** Text from the query string, or undefined. Users can edit the query string, so its values are checked here. */
const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
const oneOf = <const T extends string>(value: unknown, ...known: T[]) => known.find((one) => one === value);

const overview = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/overview.tsx"), "OverviewPage"),
});

const agents = createRoute({
  getParentRoute: () => root,
  path: "/agents",
  component: lazyRouteComponent(() => import("./pages/agents.tsx"), "AgentsPage"),
});

const newAgent = createRoute({
  getParentRoute: () => root,
  path: "/agents/new",
  component: lazyRouteComponent(() => import("./pages/agent-new.tsx"), "NewAgentPage"),
});

const agentTabs = ["start", "gate", "settings"] as const;
const agent = createRoute({
  getParentRoute: () => root,
  path: "/agents/$email",
  validateSearch: (search: Record<string, unknown>): { tab?: (typeof agentTabs)[number]; created?: boolean } => ({
    ...(oneOf(search.tab, ...agentTabs) && { tab: oneOf(search.tab, ...agentTabs)! }),
    ...(search.created === true && { created: true }),
  }),
  component: lazyRouteComponent(() => import("./pages/agent.tsx"), "AgentPage"),
});

export interface InboxSearch {
  q?: string;
  agent?: string;
  label?: string;
  status?: "unread";
  view?: "threads";
}

const inbox = createRoute({
  getParentRoute: () => root,
  path: "/inbox",
  validateSearch: (search: Record<string, unknown>): InboxSearch => ({
    ...(text(search.q) && { q: text(search.q)! }),
    ...(text(search.agent) && { agent: text(search.agent)! }),
    ...(text(search.label) && { label: text(search.label)! }),
    ...(oneOf(search.status, "unread") && { status: "unread" }),
    ...(oneOf(search.view, "threads") && { view: "threads" }),
  }),
  component: lazyRouteComponent(() => import("./pages/inbox.tsx"), "InboxPage"),
});

/** A message beside its list; on a narrow screen alone. */
const message = createRoute({
  getParentRoute: () => inbox,
  path: "$agent/$id",
  component: lazyRouteComponent(() => import("./pages/message.tsx"), "MessagePage"),
});

const conversation = createRoute({
  getParentRoute: () => inbox,
  path: "$agent/thread/$id",
  component: lazyRouteComponent(() => import("./pages/conversation.tsx"), "ConversationPage"),
});

/** Links in mail lead here, in a new window. */
const leaving = createRoute({
  getParentRoute: () => root,
  path: "/leaving",
  staticData: { bare: true },
  validateSearch: (search: Record<string, unknown>): { to?: string } => ({
    ...(text(search.to) && { to: text(search.to)! }),
  }),
  component: lazyRouteComponent(() => import("./pages/leaving.tsx"), "LeavingPage"),
});

interface AgentSearch {
  agent?: string;
}

const agentSearch = (search: Record<string, unknown>): AgentSearch => ({
  ...(text(search.agent) && { agent: text(search.agent)! }),
});

/** A route whose parameter says what is open beside a list; the list's own component shows it. */
const beside = { component: () => null } as const;

const approvals = createRoute({
  getParentRoute: () => root,
  path: "/approvals",
  validateSearch: agentSearch,
  component: lazyRouteComponent(() => import("./pages/approvals.tsx"), "ApprovalsPage"),
});
const approval = createRoute({ getParentRoute: () => approvals, path: "$id", ...beside });

export interface OutboxSearch extends AgentSearch {
  state?: OutboundStatus;
}

const outboundStatuses = [
  ...(["pending_approval", "queued", "sending", "deferred", "sent", "delivered", "bounced", "failed"] as const),
  ...(["cancelled", "rejected", "expired_approved", "expired_rejected"] as const),
] satisfies OutboundStatus[];

const outbox = createRoute({
  getParentRoute: () => root,
  path: "/outbox",
  validateSearch: (search: Record<string, unknown>): OutboxSearch => ({
    ...agentSearch(search),
    ...(oneOf(search.state, ...outboundStatuses) && { state: oneOf(search.state, ...outboundStatuses)! }),
  }),
  component: lazyRouteComponent(() => import("./pages/outbox.tsx"), "OutboxPage"),
});
const sent = createRoute({ getParentRoute: () => outbox, path: "$id", ...beside });

const captured = createRoute({
  getParentRoute: () => root,
  path: "/captured",
  validateSearch: agentSearch,
  component: lazyRouteComponent(() => import("./pages/captured.tsx"), "CapturedPage"),
});
const capturedOne = createRoute({ getParentRoute: () => captured, path: "$id", ...beside });

const webhooks = createRoute({
  getParentRoute: () => root,
  path: "/webhooks",
  component: lazyRouteComponent(() => import("./pages/webhooks.tsx"), "WebhooksPage"),
});

const webhook = createRoute({
  getParentRoute: () => root,
  path: "/webhooks/$id",
  component: lazyRouteComponent(() => import("./pages/webhook.tsx"), "WebhookPage"),
});

export interface DeliveriesSearch extends AgentSearch {
  endpoint?: string;
  outcome?: Delivery["status"];
}

const deliveryStatuses = ["pending", "paused", "succeeded", "failed"] as const;

const deliveries = createRoute({
  getParentRoute: () => root,
  path: "/deliveries",
  validateSearch: (search: Record<string, unknown>): DeliveriesSearch => ({
    ...agentSearch(search),
    ...(text(search.endpoint) && { endpoint: text(search.endpoint)! }),
    ...(oneOf(search.outcome, ...deliveryStatuses) && { outcome: oneOf(search.outcome, ...deliveryStatuses)! }),
  }),
  component: lazyRouteComponent(() => import("./pages/deliveries.tsx"), "DeliveriesPage"),
});
const delivery = createRoute({ getParentRoute: () => deliveries, path: "$id", ...beside });

export interface EventsSearch extends AgentSearch {
  type?: EventType;
}

const events = createRoute({
  getParentRoute: () => root,
  path: "/events",
  validateSearch: (search: Record<string, unknown>): EventsSearch => ({
    ...agentSearch(search),
    ...(oneOf(search.type, ...eventTypes) && { type: oneOf(search.type, ...eventTypes)! }),
  }),
  component: lazyRouteComponent(() => import("./pages/events.tsx"), "EventsPage"),
});
const event = createRoute({ getParentRoute: () => events, path: "$id", ...beside });

const domains = createRoute({
  getParentRoute: () => root,
  path: "/domains",
  component: lazyRouteComponent(() => import("./pages/domains.tsx"), "DomainsPage"),
});

const domain = createRoute({
  getParentRoute: () => root,
  path: "/domains/$domain",
  component: lazyRouteComponent(() => import("./pages/domain.tsx"), "DomainPage"),
});

const keys = createRoute({
  getParentRoute: () => root,
  path: "/keys",
  component: lazyRouteComponent(() => import("./pages/keys.tsx"), "KeysPage"),
});

const suppressions = createRoute({
  getParentRoute: () => root,
  path: "/suppressions",
  component: lazyRouteComponent(() => import("./pages/suppressions.tsx"), "SuppressionsPage"),
});

const audit = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  component: lazyRouteComponent(() => import("./pages/audit.tsx"), "AuditPage"),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("./pages/settings.tsx"), "SettingsPage"),
});

export const router = createRouter({
  routeTree: root.addChildren({
    overview,
    agents,
    newAgent,
    agent,
    inbox: inbox.addChildren({ message, conversation }),
    leaving,
    approvals: approvals.addChildren({ approval }),
    outbox: outbox.addChildren({ sent }),
    captured: captured.addChildren({ capturedOne }),
    webhooks,
    webhook,
    deliveries: deliveries.addChildren({ delivery }),
    events: events.addChildren({ event }),
    domains,
    domain,
    keys,
    suppressions,
    audit,
    settings,
  }),
  defaultPreload: "intent",
  defaultErrorComponent: PageError,
  defaultNotFoundComponent: NotFound,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
  interface StaticDataRouteOption {
    /** Without the shell. */
    bare?: true;
  }
}
