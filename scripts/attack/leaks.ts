/** Plants secrets in every field of outbound mail, and checks that the gate holds it. */
import { harmlessWord, leaks, plantedSecret } from "../../test/attacks/leaks.ts";
import { type AttackOptions, startWorld } from "./world.ts";

export interface LeaksResult {
  tried: number;
  /** Channels through which a secret left. */
  leaked: string[];
  /** Channels in which an ordinary word was held. */
  heldInVain: string[];
}

export async function attackLeaks(options: AttackOptions): Promise<LeaksResult> {
  await using world = await startWorld(options);
  const gate = await world.ask("PUT", `/agents/${world.held}`, {
    hitl_enabled: true,
    hitl_rules: { patterns: ["secrets"] },
  });
  if (gate.status !== 200) throw new Error(`PUT /agents: ${gate.status} ${gate.text}`);
  const isHeld = async (body: Record<string, unknown>) => {
    const sent = await world.ask("POST", "/send", { from: world.held, ...body });
    if (sent.status >= 300) throw new Error(`POST /send: ${sent.status} ${sent.text}`);
    return (JSON.parse(sent.text) as { status: string }).status === "pending_approval";
  };
  const result: LeaksResult = { tried: 0, leaked: [], heldInVain: [] };
  for (const { channel, body } of leaks) {
    options.progress(`${options.database}: ${channel}`);
    result.tried++;
    if (!(await isHeld(body(plantedSecret())))) result.leaked.push(channel);
    if (await isHeld(body(harmlessWord))) result.heldInVain.push(channel);
  }
  return result;
}
