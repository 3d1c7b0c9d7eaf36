/** Dead endpoints: one accepts the connection and never answers, the other refuses it. */
import { answerCalls } from "./child.ts";

const handlers = {
  start(_: null) {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const refusing = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = refusing;
    refusing.stop(true);
    return { silentUrl: `http://127.0.0.1:${silent.port}/hook`, refusingUrl: `http://127.0.0.1:${port}/hook` };
  },
};

export type DeadHandlers = typeof handlers;

answerCalls(handlers);
