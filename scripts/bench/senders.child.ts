/** Agents' programs: each sends one message after the other over its own HTTP connection. */
import { answerCalls, wallMs } from "./child.ts";
import { HttpConnection } from "./http-connection.ts";
import { agentSubject, agentText } from "./mail.ts";
import { type Series, sendAll } from "./series.ts";

export interface SendersOrder {
  port: number;
  key: string;
  /** The agents; each has its own program. */
  from: string[];
  /** The recipients, used in turn. */
  to: string[];
  /** Whether the answer waits for the first try, or comes as soon as the message is queued. */
  answer: "when sent" | "when queued";
  /** The number in the first subject, and the number of messages. */
  first: number;
  count: number;
  /** Messages started per second, whether or not the server keeps up. Default: as fast as possible. */
  perSecond?: number;
}

/** One call, by `wallMs`. */
export interface Accepted {
  subject: string;
  calledAt: number;
  answeredAt: number;
}

const handlers = {
  /** Rejects on any answer except the expected one. */
  async run(order: SendersOrder): Promise<Series<Accepted>> {
    const { port, key, from, to, first } = order;
    const queued = order.answer === "when queued";
    const headers = [`Authorization: Bearer ${key}`, ...(queued ? ["Prefer: respond-async"] : [])];
    const connections = await Promise.all(from.map(() => HttpConnection.open(port)));
    const senders = connections.map((connection, i) => async (n: number) => {
      const subject = agentSubject(first + n);
      const json = JSON.stringify({ from: from[i], to: [to[n % to.length]], subject, body: agentText });
      const calledAt = wallMs();
      const { status, body } = await connection.post("/api/v1/send", headers, json);
      if (status !== (queued ? 202 : 200)) throw new Error(`POST /send: ${status} ${body}`);
      return { subject, calledAt, answeredAt: wallMs() };
    });
    const series = await sendAll(order, senders);
    for (const connection of connections) connection.close();
    return series;
  },
};

export type SendersHandlers = typeof handlers;

answerCalls(handlers);
