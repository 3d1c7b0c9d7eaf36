import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  useRouterState,
} from "@tanstack/react-router";
import { NotFound, PageError } from "./app/fallbacks.tsx";
import { Shell } from "./app/shell.tsx";

const root = createRootRoute({ component: Root });

/** Nearly all pages have the shell around them. */
function Root() {
  const bare = useRouterState({ select: ({ matches }) => matches.some(({ staticData }) => staticData.bare) });
  return bare ? <Outlet /> : <Shell />;
}

/** Text in the query string, or undefined: what a link may say and a person may edit is checked here. */
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

/** A message beside its list, or alone on a narrow screen. */
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

/** Links of mail come here, in a window of their own. */
const leaving = createRoute({
  getParentRoute: () => root,
  path: "/leaving",
  staticData: { bare: true },
  validateSearch: (search: Record<string, unknown>): { to?: string } => ({
    ...(text(search.to) && { to: text(search.to)! }),
  }),
  component: lazyRouteComponent(() => import("./pages/leaving.tsx"), "LeavingPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([overview, agents, newAgent, agent, inbox.addChildren([message, conversation]), leaving]),
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
