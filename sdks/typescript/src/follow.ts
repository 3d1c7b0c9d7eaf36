import { type Backoff, createBackoff } from "./backoff.ts";
import type { Http } from "./http.ts";
import { stoppable } from "./iteration.ts";
import type { FollowOptions } from "./resources/events.ts";
import type { Answer, Event } from "./types.ts";

/** Under the minute after which proxies commonly give a silent request up. */
const WAIT_SECONDS = 50;
const PAGE_SIZE = 100;

const path = "/api/v1/events";

/** The event log as it grows. The last id is the cursor, so that nothing depends on a connection that lasts. */
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

/** Where "from now on" begins; in an empty log, at its beginning. */
async function newestId(http: Http, backoff: Backoff, signal: AbortSignal): Promise<string | undefined> {
  const query = { sort: "desc", page_size: 1 };
  const page = await backoff.persist(() => http.json<Answer<"listEvents">>(path, { query }, { signal, retries: 0 }));
  return page.events[0]?.id;
}
