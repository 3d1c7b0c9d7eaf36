import { E2AClient } from "../../sdks/typescript/src/index.ts";
import { Api, type Who } from "./api.ts";

export interface RemoteOptions {
  /** Base URL without trailing slash. */
  url: string;
  key: string;
  /** The default agent, by its address or its local part. */
  agent: string | null;
  userAgent: string;
  timeoutMs: number;
}

/** Makes the API of a server that is reached over the network. */
export function remoteApi({ url, key, agent, userAgent, timeoutMs }: RemoteOptions): Api {
  const headers = { accept: "application/json", "user-agent": userAgent };
  const client = new E2AClient({ baseUrl: url, apiKey: key, headers, timeoutMs, retries: 0 });
  let known: Promise<Who> | undefined;

  function who(): Promise<Who> {
    known ??= client.account.get().catch((error) => {
      known = undefined;
      throw error;
    });
    return known;
  }

  return new Api({ client, who, defaultAgent: agent });
}
