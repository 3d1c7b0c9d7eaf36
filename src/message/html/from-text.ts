import { escapeText } from "./escape.ts";

/**
 * Converts plain text to HTML that says the same and nothing else: a paragraph for each block of lines, `<br>` between
 * its lines, and markup characters escaped. Links stay text; mail programs make them clickable. "" for text without
 * words. Time is linear in the length; megabytes take most of a second.
 * @param charsMax The HTML ends after the line with which it has more characters than this.
 */
export function htmlFromText(text: string, charsMax = Number.POSITIVE_INFINITY): string {
  const lines = text.replace(/\r\n?/g, "\n");
  let html = "";
  let isInside = false;
  for (let at = 0; at < lines.length && html.length <= charsMax; ) {
    const found = lines.indexOf("\n", at);
    const end = found < 0 ? lines.length : found;
    const line = end === at ? "" : lines.slice(at, end).trimEnd();
    at = end + 1;
    if (line !== "") html += (isInside ? "<br>\n" : html === "" ? "<p>" : "\n<p>") + htmlLine(line);
    else if (isInside) html += "</p>";
    isInside = line !== "";
  }
  return isInside ? `${html}</p>` : html;
}

/** HTML folds white space (CSS Text 4.1); a no-break space before each further blank keeps columns and indents. */
function htmlLine(line: string): string {
  if (!/[&<>\t]|^ | {2}/.test(line)) return line;
  return escapeText(line)
    .replaceAll("\t", "    ")
    .replace(/^ | (?= )/g, "&nbsp;");
}
