/** What every e2a server answers to API clients, as cases: run on SQLite, on Postgres and against the compiled binary. */
import { afterAll, beforeAll, describe } from "bun:test";
import { approvalCases } from "./api-suite-approval.ts";
import { approvalLinkCases } from "./api-suite-approval-links.ts";
import { conventionCases } from "./api-suite-conventions.ts";
import { conversationCases } from "./api-suite-conversations.ts";
import { dashboardCases } from "./api-suite-dashboard.ts";
import { deliveryCases } from "./api-suite-deliveries.ts";
import { doorCases } from "./api-suite-door.ts";
import { eventCases } from "./api-suite-events.ts";
import { gateCases } from "./api-suite-gate.ts";
import { messageCases } from "./api-suite-messages.ts";
import { replyCases } from "./api-suite-replies.ts";
import { resourceCases } from "./api-suite-resources.ts";
import { safeCases } from "./api-suite-safe.ts";
import { sendCases } from "./api-suite-send.ts";
import { signInCases } from "./api-suite-sign-in.ts";
import { strictCases } from "./api-suite-strict.ts";
import { webhookCases } from "./api-suite-webhooks.ts";
import { type ApiUnderTest, ApiWorld } from "./api-world.ts";

export type { ApiUnderTest } from "./api-world.ts";

export function apiSuite(name: string, open: () => Promise<ApiUnderTest>): void {
  describe(name, () => {
    const it = new ApiWorld();
    beforeAll(async () => it.enter(await open()));
    afterAll(() => it.leave());
    conventionCases(it);
    strictCases(it);
    doorCases(it);
    safeCases(it);
    resourceCases(it);
    messageCases(it);
    sendCases(it);
    replyCases(it);
    gateCases(it);
    approvalCases(it);
    approvalLinkCases(it);
    conversationCases(it);
    deliveryCases(it);
    webhookCases(it);
    eventCases(it);
    signInCases(it);
    dashboardCases(it);
  });
}
