import type { Resolver } from "../net/dns.ts";
import type { WatchedDomain } from "../store/accounts/domain-watch.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import { startWork, type Work } from "../util/work.ts";
import { checkRecords, domainRecords } from "./records.ts";

/** A handful of look-ups each; there is no hurry. */
const CONCURRENCY = 4;
/** Longer than the look-ups of one domain may take. */
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
 * Looks at proven domains again and again, and tells when a record that was there is gone: mail that does not arrive any
 * more, or leaves without proof, is noticed before people complain. When DNS does not answer, nothing is concluded.
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
