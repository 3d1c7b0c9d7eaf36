/** A DNS server on loopback for a benchmark. It knows only the given zone. */
import { type DnsServer, startDnsServer, type Zone } from "../../test/support/dns-server.ts";
import { answerCalls } from "./child.ts";

let server: DnsServer;

const handlers = {
  /** Returns `host:port`. */
  async start(zone: Zone) {
    server = await startDnsServer(zone);
    return server.address;
  },
  /** Questions answered since the last call. */
  questions: (_: null) => server.queries.splice(0).length,
};

export type DnsHandlers = typeof handlers;

answerCalls(handlers);
