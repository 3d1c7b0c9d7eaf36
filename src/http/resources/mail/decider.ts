import type { DecisionChannel } from "../../../store/schema.ts";
import type { Exchange } from "../../framework/resource.ts";

/** Who decides, how, and from which address, as the audit list records it. */
export function decider(exchange: Exchange, request: Request): { by: string; how: DecisionChannel; ip: string | null } {
  const { identity, clientIp } = exchange;
  const isCli = /^e2a(-cli)?\//.test(request.headers.get("user-agent") ?? "");
  const how = identity?.via === "session" ? "session" : isCli ? "cli" : "api";
  return { by: identity?.user.email ?? "", how, ip: clientIp };
}
