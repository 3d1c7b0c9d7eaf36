/** Everything that differs between Node, Bun, Deno, browsers and edge runtimes. */

/** An environment variable; undefined if it is not set, or the runtime does not allow reading it. */
export function variable(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  try {
    return process?.env?.[name] || undefined;
  } catch {
    // Deno requires a permission, which may be denied.
    return undefined;
  }
}

/** Web Crypto. In Node 18 it is not a global. */
export async function webCrypto(): Promise<Crypto> {
  if (globalThis.crypto?.subtle) return globalThis.crypto;
  // Not a literal, so that bundlers for browsers do not resolve it.
  const module = "node:crypto";
  return ((await import(/* webpackIgnore: true */ module)) as { webcrypto: Crypto }).webcrypto;
}

/** Whether `fetch` can stream a body over any HTTP version: server runtimes can, browsers at most over HTTP/2. */
export function streamsBodies(): boolean {
  const { Bun, Deno, process } = globalThis as {
    Bun?: unknown;
    Deno?: unknown;
    process?: { release?: { name?: string } };
  };
  return Bun !== undefined || Deno !== undefined || process?.release?.name === "node";
}

/** Bytes per call, because argument lists have a maximum length. */
const CHUNK = 0x8000;

export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let i = 0; i < bytes.length; i += CHUNK) binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  return btoa(binary);
}

/** Decodes base64; null if the text is not base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  } catch {
    return null;
  }
}

/** Resolves after `ms`; rejects with the signal's reason as soon as the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
