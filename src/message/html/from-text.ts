const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/**
 * Converts plain text to HTML that says the same and nothing else: a paragraph for each block of lines, `<br>` between
 * its lines, and markup characters escaped. Links stay text; mail programs make them clickable. "" for text without
 * words.
 */
export function htmlFromText(text: string): string {
  const paragraphs: string[][] = [[]];
  for (const line of text.replace(/\r\n?/g, "\n").split("\n"))
    if (line.trim() === "") paragraphs.push([]);
    else paragraphs.at(-1)?.push(htmlLine(line.trimEnd()));
  return paragraphs
    .filter((lines) => lines.length > 0)
    .map((lines) => `<p>${lines.join("<br>\n")}</p>`)
    .join("\n");
}

/** HTML folds white space (CSS Text 4.1); a no-break space before each further blank keeps columns and indents. */
function htmlLine(line: string): string {
  return line
    .replace(/[&<>"]/g, (character) => entities[character] ?? character)
    .replaceAll("\t", "    ")
    .replace(/^ | (?= )/g, "&nbsp;");
}
