import { randomBytes } from "node:crypto";
import { domainToASCII } from "node:url";
import type { Static } from "@sinclair/typebox";
import { getPublicSuffix } from "tldts";
import { type AdvisedCheck, adviseRecords } from "../../../domains/advice.ts";
import {
  type DnsRecord,
  type DomainRecords,
  dnsTrouble,
  domainRecords,
  publishedTexts,
  shown,
} from "../../../domains/records.ts";
import { domainWithKeys, newDkimKeys } from "../../../outbound/dkim-keys.ts";
import type { Caller } from "../../../store/accounts/accounts.ts";
import { claimRows, type DomainWithKeys } from "../../../store/accounts/domains.ts";
import type { DomainRow } from "../../../store/schema.ts";
import { Failure } from "../../../util/errors.ts";
import { newId } from "../../../util/id.ts";
import { Domain } from "../../../wire/domain.ts";
import { optional, page } from "../../../wire/words.ts";
import { answer, body, flag, invalid, query, text } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { cutPage, pageQuery } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { requireAccountKey } from "./agents.ts";

const DOMAIN_CHARS_MAX = 253;

export function domains(deps: RouteDeps) {
  const { config, store, resolver, clock } = deps;

  const onWire = (domain: DomainWithKeys, checks?: AdvisedCheck[]): Static<typeof Domain> =>
    domainOnWire(domain, domainRecords(domain, config.smtp.domain), checks);

  async function ownDomain(caller: Caller, name: string): Promise<DomainWithKeys> {
    requireAccountKey(caller);
    const domain = await store.getDomain(caller.user.id, asciiName(name) ?? "");
    if (!domain) throw notFound("domain");
    return domain;
  }

  /** The shared domain is in no account's list, but the server's operator has records to publish for it. */
  async function serverDomain(caller: Caller, name: string): Promise<DomainWithKeys | null> {
    requireAccountKey(caller);
    if (asciiName(name) !== config.sharedDomain) return null;
    return domainWithKeys(config.sharedDomain, { store, vault: deps.vault, now: new Date(clock.now()) });
  }

  return resource("/api/v1/domains")
    .post(
      "",
      async ({ body, caller, exchange, status }) => {
        requireAccountKey(caller);
        const claim = {
          id: newId("dom"),
          userId: caller.user.id,
          domain: registrableName(body.domain, config.sharedDomain),
          verificationToken: `e2a-verify=${randomBytes(16).toString("hex")}`,
          dkimKeys: await newDkimKeys(deps.vault),
          domainsMax: config.limits.domainsPerAccount,
          now: new Date(clock.now()),
        };
        const shown = onWire(claimRows(claim));
        await exchange.requireStanding();
        await store.createDomain(claim, exchange.keep(201, shown));
        return status(201, shown);
      },
      {
        body: body({ domain: text({ min: 1, max: DOMAIN_CHARS_MAX, description: "Such as agents.example.com." }) }),
        response: { 201: answer(Domain) },
        ...operation({
          id: "createDomain",
          tag: "domains",
          summary: "Register a domain",
          description: "Makes its DKIM keys and tells which DNS records to publish. The claim is yours once verified.",
          failures: ["forbidden", "conflict"],
          example: { domain: "agents.example.com" },
        }),
      },
    )
    .get(
      "",
      async ({ query, caller }) => {
        requireAccountKey(caller);
        // An account has few domains, so all are read and the page is cut from them.
        const all = await store.listDomains(caller.user.id);
        const { rows, next } = await cutPage(deps.vault, query, ["domains", caller.user.id], all);
        return { domains: rows.map((domain) => onWire(domain)), ...next };
      },
      {
        query: query(pageQuery),
        response: { 200: answer(page("domains", Domain)) },
        ...operation({
          id: "listDomains",
          tag: "domains",
          summary: "List domains",
          description: "Newest first; all of them unless `page_size` is given.",
          failures: ["forbidden"],
        }),
      },
    )
    .get(
      "/:domain",
      async ({ params, caller }) => {
        const domain = (await serverDomain(caller, params.domain)) ?? (await ownDomain(caller, params.domain));
        return onWire(domain, await adviseRecords(domainRecords(domain, config.smtp.domain), resolver));
      },
      {
        response: { 200: answer(Domain) },
        ...operation({
          id: "getDomain",
          tag: "domains",
          summary: "Get a domain and check its DNS records",
          description:
            "`checks` says for each record what DNS has now, and what to do where the domain has such a record for other " +
            "uses: its mail and its other senders go on working. Works for the server's shared domain, too.",
          failures: ["forbidden"],
        }),
      },
    )
    .post(
      "/:domain/verify",
      async ({ params, caller, exchange }) => {
        const domain = await ownDomain(caller, params.domain);
        if (domain.verifiedAt) return onWire(domain);
        if (config.env !== "development") await requireToken(domain);
        await exchange.requireStanding();
        try {
          const { verifiedAt } = await store.markDomainVerified(domain.id, new Date(clock.now()));
          return onWire({ ...domain, verifiedAt });
        } catch (error) {
          if (!(error instanceof Failure) || error.code !== "conflict") throw error;
          throw new Failure("conflict", `Another account has already verified ${domain.domain}.`, {
            fix: "Have its owner delete it there first.",
          });
        }
      },
      {
        response: { 200: answer(Domain) },
        ...operation({
          id: "verifyDomain",
          tag: "domains",
          summary: "Verify a domain by its TXT record",
          description: "412 tells what was found instead. A development server takes the record as given.",
          failures: ["forbidden", "conflict", "domain_not_verified"],
        }),
      },
    )
    .patch(
      "/:domain",
      async ({ params, body, caller }) => {
        const domain = await ownDomain(caller, params.domain);
        const after = await store.pauseDomain(caller.user.id, domain.domain, body.paused);
        if (!after) throw notFound("domain");
        return onWire({ ...domain, paused: after.paused });
      },
      {
        body: body({ paused: flag({ description: "Freezes outbound mail of all its agents." }) }),
        response: { 200: answer(Domain) },
        ...operation({
          id: "patchDomain",
          tag: "domains",
          summary: "Pause or resume a domain's outbound mail",
          description:
            "Inbound mail is still received. Each pause ends separately: an agent that was paused individually stays paused.",
          failures: ["forbidden"],
          example: { paused: true },
        }),
      },
    )
    .delete(
      "/:domain",
      async ({ params, caller }) => {
        const domain = await ownDomain(caller, params.domain);
        if (!(await store.deleteDomain(caller.user.id, domain.domain, caller.proofId))) throw notFound("domain");
        return new Response(null, { status: 204 });
      },
      operation({
        id: "deleteDomain",
        tag: "domains",
        summary: "Delete a domain",
        description: "Not while agents use it.",
        failures: ["forbidden", "invalid_request"],
        produces: { status: 204, description: "Deleted" },
      }),
    );

  async function requireToken(domain: DomainWithKeys): Promise<void> {
    const txt = { host: domain.domain, value: domain.verificationToken };
    const refuse = (detail: string, fix: string, found: string[]) =>
      new Failure("domain_not_verified", detail, { fix, extra: { expected: atApex(txt), found } });
    const found = await publishedTexts(resolver, txt.host).catch((error) => {
      throw refuse(dnsTrouble(error), "Try again shortly.", []);
    });
    if (found.includes(txt.value)) return;
    throw refuse(
      found.length > 0 ? `${txt.host} has TXT records, but not the one asked for.` : `${txt.host} has no TXT record.`,
      `Publish the TXT record "${txt.value}" at ${txt.host}, wait until it is visible, and verify again.`,
      shown(found),
    );
  }
}

/** The name in lower-case A-labels (RFC 5890); null if it is not a DNS name. */
function asciiName(name: string): string | null {
  const ascii = domainToASCII(name.trim().replace(/\.$/, ""));
  const labels = ascii.split(".");
  const valid = labels.every((label) => /^(?!-)[a-z0-9-]{1,63}(?<!-)$/.test(label));
  return valid && ascii.length <= DOMAIN_CHARS_MAX && !/^\d+$/.test(labels.at(-1) ?? "") ? ascii : null;
}

/** Returns the name if an account can own it. Failure `invalid_request` otherwise. */
function registrableName(name: string, sharedDomain: string): string {
  const ascii = asciiName(name);
  if (!ascii?.includes("."))
    throw invalid([{ field: "domain", message: "must be a domain name such as agents.example.com" }]);
  if (ascii === sharedDomain)
    throw invalid(
      [{ field: "domain", message: "is this server's shared domain, which every account can use as it is" }],
      "Register an agent on it with POST /api/v1/agents and a slug.",
    );
  if (getPublicSuffix(ascii, { allowIcannDomains: true, allowPrivateDomains: true }) === ascii)
    throw invalid([{ field: "domain", message: "is a public suffix, under which others have their domains" }]);
  return ascii;
}

function recordsOnWire(records: DomainRecords): Static<typeof Domain>["dns_records"] {
  const { mx, txt, spf, dmarc, dkim, dkim_ed25519 } = records;
  return {
    mx: atApex(mx),
    ...optional("txt", txt && atApex(txt)),
    spf: withName(spf),
    dmarc: withName(dmarc),
    ...optional("dkim", dkim && withName(dkim)),
    ...optional("dkim_ed25519", dkim_ed25519 && withName(dkim_ed25519)),
  };
}

function withName<R extends DnsRecord>(record: R): R & { name: string } {
  return { ...record, name: record.host };
}

/** MX and proof are at the domain itself, which clients of the original expect as `@`. */
function atApex<R extends DnsRecord>(record: R): R & { name: string } {
  return { ...withName(record), host: "@" };
}

export function domainOnWire(
  row: DomainRow,
  records: DomainRecords,
  checks: AdvisedCheck[] | undefined,
): Static<typeof Domain> {
  return {
    domain: row.domain,
    verified: row.verifiedAt !== null,
    verification_token: row.verificationToken,
    dns_records: recordsOnWire(records),
    created_at: row.createdAt.toISOString(),
    ...optional("verified_at", row.verifiedAt?.toISOString()),
    ...optional("degraded_at", row.degradedAt?.toISOString()),
    paused: row.paused,
    ...optional("checks", checks),
  };
}
