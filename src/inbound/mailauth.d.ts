/**
 * The checks by themselves: the library's main module also loads BIMI, certificates and an HTTP client, which cost
 * 5 MB and a third of its loading time.
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
