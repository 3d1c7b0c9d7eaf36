/** The API's test cases for any e2a server. They run on SQLite, and against the compiled binary on Postgres. */
import { afterAll, beforeAll, describe } from "bun:test";
import { approvalCases } from "./approval.ts";
import { approvalLinkCases } from "./approval-links.ts";
import { conventionCases } from "./conventions.ts";
import { conversationCases } from "./conversations.ts";
import { dashboardCases } from "./dashboard.ts";
import { deliveryCases } from "./deliveries.ts";
import { doorCases } from "./door.ts";
import { eventCases } from "./events.ts";
import { gateCases } from "./gate.ts";
import { messageCases } from "./messages.ts";
import { replyCases } from "./replies.ts";
import { resourceCases } from "./resources.ts";
import { safeCases } from "./safe.ts";
import { sendCases } from "./send.ts";
import { signInCases } from "./sign-in.ts";
import { strictCases } from "./strict.ts";
import { webhookCases } from "./webhooks.ts";
import { type ApiUnderTest, ApiWorld } from "./world.ts";

export type { ApiUnderTest } from "./world.ts";

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
