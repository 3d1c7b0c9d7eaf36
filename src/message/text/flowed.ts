/**
 * Joins the lines of flowed text (RFC 3676): a line that ends in a space continues on the next one of the same quote
 * depth.
 * @param joinsWords `DelSp=yes`: the space that marks the end of a line is not part of the text.
 */
export function unflowed(text: string, joinsWords: boolean): string {
  const out: string[] = [];
  let paragraph: string[] = [];
  let depth = 0;
  const close = () => {
    if (paragraph.length > 0) out.push(`${depth > 0 ? `${">".repeat(depth)} ` : ""}${paragraph.join("")}`);
    paragraph = [];
  };
  for (const line of text.split(/\r?\n/)) {
    const quotes = quoteDepth(line);
    const stuffed = line.slice(quotes);
    const words = stuffed.startsWith(" ") ? stuffed.slice(1) : stuffed;
    // A signature's separator is never flowed (4.3).
    const isSeparator = words === "-- ";
    if (quotes !== depth || isSeparator) close();
    depth = quotes;
    // A line of nothing but white space is empty to its reader, and to a signature (RFC 6376 3.4.4).
    const isFlowed = words.endsWith(" ") && words.trim() !== "" && !isSeparator;
    paragraph.push(isFlowed && joinsWords ? words.slice(0, -1) : words);
    if (!isFlowed) close();
  }
  close();
  return out.join("\n");
}

function quoteDepth(line: string): number {
  let depth = 0;
  while (line[depth] === ">") depth++;
  return depth;
}
