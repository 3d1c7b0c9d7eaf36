/**
 * The checks alone: the library's main module also loads BIMI, certificates and an HTTP client, which cost 5 MB and a
 * third of its loading time.
 */
declare module "mailauth/lib/arc/index.js" {
  export const arc: typeof import("mailauth").arc;
}
declare module "mailauth/lib/dkim/verify.js" {
  export const dkimVerify: typeof import("mailauth").dkimVerify;
}
declare module "mailauth/lib/dmarc/index.js" {
  export const dmarc: typeof import("mailauth").dmarc;
}
declare module "mailauth/lib/spf/index.js" {
  export const spf: typeof import("mailauth").spf;
}
/** The members we use of the class behind `dkimVerify`: a stream, which is driven here step by step instead. */
declare module "mailauth/lib/dkim/dkim-verifier.js" {
  export class DkimVerifier {
    constructor(options: import("mailauth").DKIMVerifyOptions);
    /** By canonicalization, algorithm and length. */
    bodyHashes: Map<string, { update(body: Buffer): void; digest(encoding: "base64"): string }>;
    headerFrom: string[];
    fromFields: number;
    results: import("mailauth").DKIMResult[];
    arc: unknown;
    /** The message's header; false before `emitHeaders`. */
    headers: { parsed: { key: string | null; line: Buffer }[] } | false;
    emitHeaders(header: Buffer): Promise<void>;
    addBodyHash(canonicalization: string, algorithm: string, maxBodyLength: number | ""): string;
    nextChunk(body: Buffer): Promise<void>;
    finalChunk(): Promise<void>;
  }
}
