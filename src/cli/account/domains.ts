/** `e2a domains`: your own domains, and the DNS records to prove and use them. */
import { Command } from "commander";
import { type CliError, serverFailure } from "../connect/failure.ts";
import { openSession, type Session } from "../connect/session.ts";
import type { DnsRecord, Domain, RecordCheck } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { age, plain, type Style, table } from "../terminal/output.ts";
import { confirmDeletion } from "../terminal/prompts.ts";

export function domainsCommand(io: Io): Command {
  const command = new Command("domains")
    .summary("bring your own domain")
    .description("Agents can live on a domain of yours once its DNS proves that it is yours.")
    .addCommand(registerCommand(io))
    .addCommand(listCommand(io))
    .addCommand(verifyCommand(io))
    .addCommand(deleteCommand(io));
  return example(command, ["e2a domains register agents.example.com", "e2a domains verify agents.example.com"]);
}

function registerCommand(io: Io): Command {
  const command = new Command("register")
    .summary("claim a domain and see its DNS records")
    .description(
      "Registers a domain and prints the DNS records to publish. Registering it again is an error; verify shows them again.",
    )
    .argument("<domain>", "for example agents.example.com")
    .action(async (name: string, _flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const registered = await session.client.domains.create({ domain: name });
      // Shows what DNS already has, so that a record with other uses is not replaced. The domain is registered anyway.
      const domain = await session.client.domains.get(registered.domain).catch(() => registered);
      await session.show(domain, () =>
        [
          `${session.paint("green", "✓")} ${session.paint("bold", plain(domain.domain))} is registered. Publish these records:`,
          recordTable(session, domain),
          `Then: ${session.paint("cyan", `e2a domains verify ${plain(domain.domain)}`)}`,
        ].join("\n\n"),
      );
    });
  return example(command, ["e2a domains register agents.example.com"]);
}

function verifyCommand(io: Io): Command {
  const command = new Command("verify")
    .summary("check a domain's DNS records")
    .description("Looks the records up now. The TXT record proves ownership; exit code 1 while it is not there.")
    .argument("<domain>", "a registered domain")
    .action(async (name: string, _flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const { domain, refusal } = await verify(session, name);
      const { paint } = session;
      const head = refusal
        ? `${paint("yellow", "✗")} ${paint("bold", plain(domain.domain))} is not verified yet.`
        : `${paint("green", "✓")} ${paint("bold", plain(domain.domain))} is verified.${missingPart(domain)}`;
      await session.show(domain, () => `${head}\n\n${recordTable(session, domain)}`);
      if (refusal) throw refusal;
    });
  return example(command, ["e2a domains verify agents.example.com"]);
}

/** Verifies a domain. "Not verified yet" (412) is returned too: it comes with the records and what was found. */
async function verify(session: Session, name: string): Promise<{ domain: Domain; refusal?: CliError }> {
  try {
    await session.client.domains.verify(name);
    return { domain: await session.client.domains.get(name) };
  } catch (error) {
    const refusal = serverFailure(error);
    if (refusal?.problem.status !== 412) throw error;
    const domain = await session.client.domains.get(name);
    const checks = refusal.problem.checks ?? (refusal.problem.domain as Partial<Domain> | undefined)?.checks;
    return { domain: Array.isArray(checks) ? { ...domain, checks: checks as RecordCheck[] } : domain, refusal };
  }
}

/** The records that mail still needs, although the domain is verified. */
function missingPart({ checks = [] }: Domain): string {
  const wrong = checks.filter(({ status }) => status !== "ok").map(({ record }) => plain(record));
  if (wrong.length === 0) return "";
  return ` That proves it is yours; ${wrong.length} of ${checks.length} records are not right yet: ${wrong.join(", ")}.`;
}

interface RecordRow {
  record: string;
  dns: DnsRecord;
  check: RecordCheck | undefined;
}

const statusStyle: Record<RecordCheck["status"], Style> = { ok: "green", missing: "yellow", mismatch: "red" };

/**
 * One line for each record, with its whole value last, so that it can be copied. Values found instead are listed below.
 */
function recordTable({ paint, width }: Session, domain: Domain): string {
  const rows: RecordRow[] = Object.entries(domain.dns_records).flatMap(([record, entries]) =>
    [entries].flat().map((dns) => ({ record, dns, check: domain.checks?.find((check) => check.record === record) })),
  );
  const lines = table<RecordRow>(
    [
      { title: "FOR", value: (row) => row.record },
      {
        title: "FOUND",
        value: (row) => row.check?.status ?? "-",
        style: (row) => (row.check && statusStyle[row.check.status]) || null,
      },
      { title: "TYPE", value: (row) => (row.record === "mx" ? "MX" : "TXT") },
      { title: "NAME", value: (row) => row.dns.name ?? row.dns.host },
      {
        title: "VALUE",
        value: ({ dns, check }) =>
          check?.merged ?? (dns.priority === undefined ? dns.value : `${dns.priority} ${dns.value}`),
      },
    ],
    rows,
    { width, paint },
  );
  const found = (domain.checks ?? []).flatMap(({ record, status, found, advice }) => [
    ...(status === "mismatch" && found ? [`${record} has instead: ${plain([found].flat().join(" | "))}`] : []),
    ...(advice ? [`${record}: ${plain(advice)}`] : []),
  ]);
  return [lines, ...found].join("\n");
}

function listCommand(io: Io): Command {
  const command = new Command("list")
    .alias("ls")
    .summary("list your domains")
    .description("Lists the domains of the account.")
    .action(async (_flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const { domains } = await session.client.domains.list();
      await session.show({ domains }, () => domainTable(session, domains));
    });
  return example(command, ["e2a domains list"]);
}

function domainTable({ paint, width }: Session, domains: Domain[]): string {
  if (domains.length === 0) return "No domains yet. Register one: e2a domains register agents.example.com";
  const now = Date.now();
  return table<Domain>(
    [
      { title: "DOMAIN", value: (domain) => domain.domain, style: () => "bold" },
      {
        title: "OWNERSHIP",
        value: (domain) => (domain.verified ? "proven" : "not proven") + (domain.paused ? ", paused" : ""),
        style: (domain) => (domain.verified ? "green" : "yellow"),
      },
      { title: "AGE", value: (domain) => age(domain.created_at, now) },
    ],
    domains,
    { width, paint },
  );
}

function deleteCommand(io: Io): Command {
  const command = new Command("delete")
    .summary("give a domain up")
    .description("Deletes a domain; refused while agents live on it. Asks first; in a pipe --yes is needed.")
    .argument("<domain>", "a registered domain")
    .option("-y, --yes", "do not ask")
    .action(async (name: string, flags: { yes?: boolean }, command: Command) => {
      const session = await openSession(io, command);
      await confirmDeletion(io, `Delete the domain ${name} and its keys?`, flags.yes);
      await session.client.domains.delete(name);
      await session.show(
        { domain: name, status: "deleted" },
        () => `${session.paint("green", "✓")} ${name} is deleted.`,
      );
    });
  return example(command, ["e2a domains delete agents.example.com --yes"]);
}
