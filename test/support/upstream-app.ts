import { type ScriptedOptions, scriptedSmtp } from "../smtp/scripted-smtp.ts";
import { startTestApp, type TestApp, type TestAppOptions } from "./app.ts";

/** The application with an agent and a scripted upstream. */
export async function withUpstream(script: ScriptedOptions = {}, more: TestAppOptions = {}) {
  const smtp = await scriptedSmtp(script);
  const it = await startTestApp({
    ...more,
    set: {
      "outbound_smtp.host": smtp.host,
      "outbound_smtp.port": smtp.port,
      "outbound_smtp.tls": script.tls ?? "off",
      "outbound_smtp.timeout": "300ms",
      ...more.set,
    },
  });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  return {
    it,
    smtp,
    send: (to: string | string[], headers: Record<string, string> = {}) =>
      it.api("POST", "/api/v1/send", { to: [to].flat(), subject: "Hello", body: "Hi there" }, headers),
    async [Symbol.asyncDispose]() {
      await it[Symbol.asyncDispose]();
      await smtp[Symbol.asyncDispose]();
    },
  };
}

/** A sent message as the API shows it. */
export const outbound = async (it: TestApp, id: string) => (await it.api("GET", `/api/v1/messages/${id}`)).body;
