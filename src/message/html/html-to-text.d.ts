/** html-to-text ships no types; this is what we use of it. */
declare module "html-to-text" {
  /** An element of htmlparser2's tree, as formatters get it. */
  interface FormattedElement {
    attribs: Record<string, string | undefined>;
  }
  type Formatter = (element: FormattedElement, walk: unknown, builder: { addInline(text: string): void }) => void;
  /** A converter with fixed options; see the library's README for them. */
  export function compile(
    options: Record<string, unknown> & { formatters?: Record<string, Formatter> },
  ): (html: string) => string;
}
