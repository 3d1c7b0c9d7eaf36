import { type Backoff, createBackoff } from "./backoff.ts";
import type { Http } from "./http.ts";
import { stoppable } from "./iteration.ts";
import type { FollowOptions } from "./resources/events.ts";
import type { Answer, Event } from "./types.ts";

/** Less than a minute, after which proxies commonly abort a silent request. */
const WAIT_SECONDS = 50;
const PAGE_SIZE = 100;

const path = "/api/v1/events";

/** Follows the event log. The last id is the cursor, so the iteration survives lost connections. */
export function followEvents(http: Http, options: FollowOptions): AsyncGenerator<Event, void, undefined> {
  return stoppable(options.signal, (signal) => eventsOf(http, options, signal));
}

async function* eventsOf(
  http: Http,
  options: FollowOptions,
  signal: AbortSignal,
): AsyncGenerator<Event, void, undefined> {
  const { types, agent } = options;
  const backoff = createBackoff(signal, options);
  let after = options.after === undefined ? await newestId(http, backoff, signal) : (options.after ?? undefined);
  for (;;) {
    const query = { after, types, agent, wait: WAIT_SECONDS, page_size: PAGE_SIZE };
    const { events } = await backoff.persist(() =>
      http.waiting<Answer<"listEvents">>(path, query, WAIT_SECONDS, { signal, retries: 0 }),
    );
    for (const event of events) {
      yield event;
      after = event.id;
    }
  }
}

/** The id after which new events begin; undefined for an empty log. */
async function newestId(http: Http, backoff: Backoff, signal: AbortSignal): Promise<string | undefined> {
  const query = { sort: "desc", page_size: 1 };
  const page = await backoff.persist(() => http.json<Answer<"listEvents">>(path, { query }, { signal, retries: 0 }));
  return page.events[0]?.id;
}
