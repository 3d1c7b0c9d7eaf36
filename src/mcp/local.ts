import { E2AClient } from "../../sdks/typescript/src/index.ts";
import { ValueResponse } from "../util/value-response.ts";
import { Api, type Who } from "./api.ts";

/** Calls of the API normally end long before this. */
const TIMEOUT_MS = 180_000;

/** Makes the API of this server at `url`, as the caller of `request`: with its key, through `ask`, not the network. */
export function localApi(request: Request, url: URL, ask: (request: Request) => Promise<Response>, who: Who): Api {
  const client = new E2AClient({
    baseUrl: url.origin,
    apiKey: (request.headers.get("authorization") ?? "").replace(/^Bearer +/i, "").trim(),
    headers: { accept: "application/json", "user-agent": request.headers.get("user-agent") ?? "" },
    fetch: (to, init) => ask(new Request(to, init)),
    timeoutMs: TIMEOUT_MS,
    retries: 0,
    webSocket: false,
    readJson: async (response) => {
      if (response instanceof ValueResponse) return response.value;
      const text = await response.text();
      return text === "" ? null : JSON.parse(text);
    },
  });
  return new Api({ client, who: async () => who, defaultAgent: null });
}
