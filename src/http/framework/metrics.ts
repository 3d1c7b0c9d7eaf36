import type { Config } from "../../config.ts";
import type { Store } from "../../store/store.ts";

export interface Metrics {
  /** Counts one answered request. `route` is the pattern, never the path, so that there are few of them. */
  request(method: string, route: string, status: number, durationMs: number): void;
  /** The metrics in Prometheus' text format. */
  text(): Promise<string>;
}

/** Clients may send any method; only these become labels. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Creates the metrics of this process and of its queues. */
export function createMetrics(store: Store, now: () => number): Metrics {
  const startedAt = now();
  const requests = new Map<string, { count: number; seconds: number }>();

  return {
    request(method, route, status, durationMs) {
      const labels = `method="${methods.has(method) ? method : "other"}",route="${route}",status="${status}"`;
      const row = requests.get(labels) ?? { count: 0, seconds: 0 };
      row.count++;
      row.seconds += durationMs / 1000;
      requests.set(labels, row);
    },
    async text() {
      const queue = await store.queueState(new Date(now()));
      const outbound = await store.outboundState(new Date(now()));
      const rows = [...requests];
      return [
        family(
          "e2a_http_requests_total",
          "counter",
          "HTTP requests answered.",
          rows.map(([l, r]) => [l, r.count]),
        ),
        family(
          "e2a_http_request_seconds_total",
          "counter",
          "Time spent on them.",
          rows.map(([labels, row]) => [labels, row.seconds]),
        ),
        family("e2a_deliveries_waiting", "gauge", "Webhook deliveries waiting for an attempt.", [["", queue.waiting]]),
        family("e2a_deliveries_oldest_due_seconds", "gauge", "How long the oldest due delivery has waited.", [
          ["", queue.oldestDueAt ? (now() - queue.oldestDueAt.getTime()) / 1000 : 0],
        ]),
        family(
          "e2a_outbound_waiting",
          "gauge",
          "Recipients of outbound mail waiting for an attempt, by lane.",
          outbound.waiting.map(({ lane, count }) => [`lane="${escaped(lane)}"`, count]),
        ),
        family("e2a_outbound_oldest_due_seconds", "gauge", "How long the oldest due recipient has waited.", [
          ["", outbound.oldestDueAt ? (now() - outbound.oldestDueAt.getTime()) / 1000 : 0],
        ]),
        family("process_resident_memory_bytes", "gauge", "Memory in use.", [["", process.memoryUsage.rss()]]),
        family("process_start_time_seconds", "gauge", "When the process started.", [["", startedAt / 1000]]),
      ].join("");
    },
  };
}

/** A metric family in the text format 0.0.4: help, type, and a line for each set of labels. */
function family(name: string, type: "counter" | "gauge", help: string, samples: [labels: string, value: number][]) {
  const lines = samples.map(([labels, value]) => `${name}${labels ? `{${labels}}` : ""} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** Escapes a label's value: lanes are named after upstreams, whose names come from the configuration. */
function escaped(value: string): string {
  return value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}

/** Serves `/metrics` on a separate listener, which can stay on an internal network; null if it is off. */
export function startMetrics(config: Config, metrics: Metrics) {
  const listen = config.metrics.listenAddr;
  if (!listen) return null;
  return Bun.serve({
    hostname: listen.host || "::",
    port: listen.port,
    development: false,
    async fetch(request) {
      if (URL.parse(request.url, "http://localhost")?.pathname !== "/metrics" || request.method !== "GET")
        return new Response("Only GET /metrics is served here.\n", { status: 404 });
      return new Response(await metrics.text(), { headers: { "content-type": "text/plain; version=0.0.4" } });
    },
  });
}
