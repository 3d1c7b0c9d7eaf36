/** The tags around what a reply or a forward quotes. Mail programs know them from Gmail, and fold the quote away. */
export const quoteTags = {
  container: `<div class="gmail_quote gmail_quote_container">`,
  head: `<div class="gmail_attr">`,
  quote: `<blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">`,
} as const;

/** As Gmail writes it; programs and our own reader know it. */
export const forwardedLine = "---------- Forwarded message ---------";

const introduction =
  /^On [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} at \d\d:\d\d UTC, (?:someone|[^<>]{0,100}<[^<>@\s]{1,100}@[^<>@\s]{1,300}>) wrote:$/;

/** Whether lines introduce the quote of a reply as `withQuote` does, or a forwarded message as `withForwarded` does. */
export function quoteHeadOf(lines: readonly string[]): "reply" | "forward" | null {
  const [first = "", ...fields] = lines;
  if (fields.length === 0) return introduction.test(first) ? "reply" : null;
  const names = fields.map((line) => line.split(":", 1)[0]).join(" ");
  return first === forwardedLine && /^From Date Subject(?: To)?(?: Cc)?$/.test(names) ? "forward" : null;
}
