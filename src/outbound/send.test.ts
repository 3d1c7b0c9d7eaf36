import { expect, test } from "bun:test";
import { startTestApp } from "../../test/support/app.ts";
import { createGatekeeper } from "../approval/gatekeeper.ts";
import { heldReview } from "../approval/reviews.ts";
import { searchOutgoing } from "../approval/search.ts";
import { compose } from "../message/compose.ts";
import { readAttachments } from "../message/read.ts";
import { systemClock } from "../util/clock.ts";
import { contentHashOf } from "./content-hash.ts";
import type { Dispatch } from "./dispatch.ts";
import { createRoutes } from "./routes.ts";
import { createSender } from "./send.ts";

test("a gate that is switched on between the decision and the storing is asked again: held, not lost", async () => {
  await using it = await startTestApp();
  const { store, config } = it.app;
  const id = "bot@e2a.localhost";
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const gatekeeper = createGatekeeper({
    ...{ store, clock: systemClock, sharedDomain: config.sharedDomain },
    attachments: (_, raw) => readAttachments(raw, config.inbound),
    search: (_, request) => searchOutgoing(request),
  });
  let asked = 0;
  const sender = createSender({
    ...{ store, config, clock: systemClock, routes: createRoutes(config, null) },
    derive: (_, ...input) => heldReview(...input),
    async compose(_, mail) {
      const raw = await compose(mail);
      return { raw, contentHash: await contentHashOf(mail, raw) };
    },
    gatekeeper: {
      ...gatekeeper,
      async ask(...question) {
        const answer = await gatekeeper.ask(...question);
        // The gate is switched on after it was first asked.
        if (++asked === 1) await it.api("PATCH", `/api/v1/agents/${id}`, { hitl_enabled: true });
        return answer;
      },
    },
    // No room for an immediate try: released mail would stay in the queue.
    dispatch: { reserve: () => null, leaseUntil: () => new Date() } as unknown as Dispatch,
  });
  const agent = await store.getAgent(id);
  if (!agent) throw new Error("there is no agent");
  const sent = await sender.send({
    ...{ agent, type: "send", to: [{ address: "ann@outside.example", name: "" }], cc: [], bcc: [], replyTo: [] },
    ...{
      subject: "Hello",
      text: "Good day.",
      html: null,
      attachments: [],
      conversationId: null,
      originalConversation: null,
      inReplyTo: null,
    },
    ...{ references: [], headers: [], asked: null, wait: false },
  });
  expect({ asked, status: sent.message.status, hold: sent.message.hold?.rule }).toEqual({
    ...{ asked: 2, status: "pending_approval", hold: "approval" },
  });
});
