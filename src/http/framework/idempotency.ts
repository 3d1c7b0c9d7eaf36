import { createHash } from "node:crypto";
import type { KeptAnswer } from "../../store/accounts/requests.ts";
import { IDEMPOTENCY_KEPT_MS } from "../../store/accounts/requests.ts";
import type { Store } from "../../store/store.ts";
import type { Clock } from "../../util/clock.ts";
import { Failure } from "../../util/errors.ts";
import type { Log } from "../../util/log.ts";
import type { Vault } from "../../vault.ts";
import type { Identity } from "./identity.ts";
import { invalid } from "./input.ts";
import { requestUrl } from "./request-url.ts";

/** If a first request has no answer after this time, its process has died; no request of ours takes longer. */
const ABANDONED_MS = 30_000;
const KEY_CHARS_MAX = 255;

export interface Idempotency {
  /**
   * Runs a request once for its Idempotency-Key. The same request again gets the stored answer, marked
   * `Idempotency-Replayed: true` and `Idempotent-Replayed: true`. Failures: `idempotency_key_reused`, and `conflict`
   * while the first request is running.
   */
  once(
    request: Request,
    identity: Identity,
    hash: RequestHash,
    run: (keep: KeepAnswer) => Promise<Response>,
  ): Promise<Response>;
}

/**
 * Seals the answer to a request, to be stored in the transaction that makes what the request asks for. Null for
 * requests whose answer is not stored.
 */
export type KeepAnswer = (status: number, body: unknown) => KeptAnswer | null;

/**
 * Creates the store of answers for Idempotency-Keys. Answers are sealed, because one may hold a new API key or signing
 * secret, which is stored nowhere else in a readable form.
 */
export function createIdempotency(deps: { store: Store; vault: Vault; clock: Clock; log: Log }): Idempotency {
  const { store, vault, clock, log } = deps;

  return {
    async once(request, identity, hash, run) {
      const key = request.headers.get("idempotency-key");
      if (key === null) return run(keepNothing);
      if (!/^[\x20-\x7e]+$/.test(key) || key.length > KEY_CHARS_MAX)
        throw invalid([
          { field: "Idempotency-Key", message: `must have 1 to ${KEY_CHARS_MAX} printable ASCII characters` },
        ]);
      const userId = identity.user.id;
      const ownKey = principalKey(identity, key);
      const context = `idempotency ${userId} ${ownKey}`;
      const sealed = (text: string) => Buffer.from(vault.seal(text, context)).toString("base64");
      const now = clock.now();
      const start = await store.startIdempotent({
        userId,
        key: ownKey,
        requestHash: hash.digest(),
        now: new Date(now),
        expiredBefore: new Date(now - IDEMPOTENCY_KEPT_MS),
        abandonedBefore: new Date(now - ABANDONED_MS),
      });
      if (start.kind === "reused")
        throw new Failure("idempotency_key_reused", "This Idempotency-Key was already used for a different request.", {
          fix: "Use a new key for each new request.",
        });
      if (start.kind === "running")
        throw new Failure("conflict", "The first request with this Idempotency-Key is still running.", {
          fix: "Ask again shortly.",
        });
      if (start.kind === "replay")
        return replay(start.status, vault.openText(Buffer.from(start.body, "base64"), context));

      // A store that fails here must not hide the result of the request; the key is free again after ABANDONED_MS.
      const finish = (answer: { status: number; body: string } | null) =>
        store.finishIdempotent(userId, ownKey, answer).catch((error) => log.warn("idempotency.not_kept", {}, error));
      let kept = false;
      try {
        const response = await run((status, body) => {
          kept = true;
          return { userId, key: ownKey, answer: { status, body: sealed(JSON.stringify(body)) } };
        });
        // Answers that may be different next time, or that are about the caller, are not stored.
        if (response.status >= 500 || response.status === 429 || response.status === 401) await finish(null);
        else if (!kept || !response.ok)
          await finish({ status: response.status, body: sealed(await response.clone().text()) });
        return response;
      } catch (error) {
        await finish(null);
        throw error;
      }
    },
  };
}

/**
 * Returns an Idempotency-Key as it is stored. Account keys and sessions of an account share one set of keys; the keys
 * of each agent share their own. The line end cannot occur in a header field.
 */
export function principalKey({ agentId }: Pick<Identity, "agentId">, key: string): string {
  return agentId === null ? key : `${agentId}\n${key}`;
}

/** Stores no answer: for requests without an Idempotency-Key. */
export const keepNothing: KeepAnswer = () => null;

/**
 * SHA-256 of the key's agent, method, path, query and the bytes of the body, in lower-case hex. It hashes the bytes and
 * not the JSON they mean: programs that retry send the same bytes, and no definition of "the same JSON" can be wrong.
 */
export class RequestHash {
  private readonly hash = createHash("sha256");
  private hex: string | null = null;

  constructor(request: Request, identity: Identity | null) {
    const { pathname, search } = requestUrl(request);
    this.hash.update(JSON.stringify([identity?.agentId ?? null, request.method, pathname, search])).update("\n");
  }

  /** Adds a piece of the body. */
  update(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  digest(): string {
    this.hex ??= this.hash.digest("hex");
    return this.hex;
  }
}

function replay(status: number, body: string): Response {
  const type = status >= 400 ? "application/problem+json" : "application/json";
  return new Response(body === "" ? null : body, {
    status,
    headers: {
      ...(body === "" ? {} : { "content-type": type }),
      "idempotency-replayed": "true",
      "idempotent-replayed": "true",
    },
  });
}
