import type { Resolver } from "../net/dns.ts";
import type { WatchedDomain } from "../store/accounts/domain-watch.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import { startWork, type Work } from "../util/work.ts";
import { checkRecords, domainRecords } from "./records.ts";

/** Each check needs only a few look-ups, and none is urgent. */
const CONCURRENCY = 4;
/** Longer than the look-ups of one domain can take. */
const LEASE_MS = 60_000;

export interface DomainWatchOptions {
  store: Store;
  resolver: Resolver;
  clock: Clock;
  log: Log;
  /** The name that senders connect to. */
  mailHost: string;
}

/**
 * Checks verified domains repeatedly, and reports when a record that was there is gone. So mail that no longer arrives,
 * or leaves without authentication, is noticed before users complain. If DNS does not answer, nothing is concluded.
 */
export function startDomainWatch({ store, resolver, clock, log, mailHost }: DomainWatchOptions): Work<WatchedDomain> {
  const work = startWork<WatchedDomain>({
    name: "domains",
    concurrency: CONCURRENCY,
    clock,
    log,
    claim(limit) {
      const now = new Date(clock.now());
      return store.claimDomainChecks({ now, leaseUntil: new Date(now.getTime() + LEASE_MS), limit });
    },
    async run(domain) {
      const checks = await checkRecords(domainRecords(domain, mailHost), resolver);
      const found = checks.flatMap(({ record, status }) => (status === "ok" ? [record] : []));
      const problems = checks.flatMap(({ record, status, error }) =>
        status === "ok" || error !== undefined ? [] : [{ record, status }],
      );
      await store.recordDomainCheck(domain.id, { found, problems }, new Date(clock.now()));
    },
    nextDue: () => store.nextDomainCheckDue(),
  });
  work.wake();
  return work;
}
