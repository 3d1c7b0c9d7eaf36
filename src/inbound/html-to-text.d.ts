/** html-to-text ships no types; this is what we use of it. */
declare module "html-to-text" {
  /** A converter with fixed options; see the library's README for them. */
  export function compile(options: Record<string, unknown>): (html: string) => string;
}
