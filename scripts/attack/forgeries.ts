/** Forged identities: sends each to every kind of victim, and reads its verdict in the agent's inbox. */
import { forge } from "../../test/attacks/forge.ts";
import { type Forgery, forgeries, forgeryZone, type VictimKind, victims } from "../../test/attacks/forgeries.ts";
import { type AttackOptions, startWorld, type World } from "./world.ts";

export interface ForgeriesResult {
  /** Forged mails that were delivered, one per victim. */
  tried: number;
  /** How many of them the server refused. */
  refused: number;
  /** Names of forgeries that were believed. */
  believed: string[];
  /** How many honest mails were sent; the next member lists those that were not believed. */
  honest: number;
  disbelieved: string[];
}

export async function attackForgeries(options: AttackOptions): Promise<ForgeriesResult> {
  await using world = await startWorld({
    ...options,
    zone: forgeryZone(),
    sharedDomain: victims.shared,
    settings: { E2A_SMTP_PROXY_TRUSTED: "127.0.0.1", E2A_SMTP_MAX_CONNECTIONS_PER_IP: "1000" },
  });
  for (const path of ["/domains", `/domains/${victims.customer}/verify`]) {
    const made = await world.ask("POST", path, path === "/domains" ? { domain: victims.customer } : undefined);
    if (made.status >= 300) throw new Error(`POST ${path}: ${made.status} ${made.text}`);
  }
  const result: ForgeriesResult = { tried: 0, refused: 0, believed: [], honest: 0, disbelieved: [] };
  let count = 0;
  for (const forgery of forgeries) {
    options.progress(`${options.database}: ${forgery.name}`);
    for (const kind of forgery.against ?? (Object.keys(victims) as VictimKind[])) {
      const name = `${forgery.name}, against ${kind}`;
      const verified = await verdictOf(world, forgery, kind, `forgery-${++count}`);
      if (forgery.verified) {
        result.honest++;
        if (!verified) result.disbelieved.push(name);
      } else {
        result.tried++;
        if (verified === null) result.refused++;
        if (verified) result.believed.push(name);
      }
    }
  }
  return result;
}

/** Whether the inbox shows a mail as verified; null if the server refused it. */
async function verdictOf(world: World, forgery: Forgery, kind: VictimKind, id: string): Promise<boolean | null> {
  const code = await forge(forgery, kind, id, { smtpPort: world.server.smtpPort, to: world.agent });
  if (code >= 500) return null;
  if (code !== 250) throw new Error(`${forgery.name}: the server answered with ${code}`);
  const list = await world.ask("GET", `/agents/${world.agent}/messages?status=all&sort=desc&page_size=1`);
  const [latest] = (JSON.parse(list.text) as { messages: { verified: boolean; verified_domain: string | null }[] })
    .messages;
  if (!latest) throw new Error(`${forgery.name}: the mail was taken and is not in the inbox`);
  return latest.verified || latest.verified_domain !== null;
}
