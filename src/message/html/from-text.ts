const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/**
 * HTML that says what a plain text says and nothing else: a paragraph for each block of lines, `<br>` within it, every other
 * character escaped. Links stay text, which mail programs make clickable themselves. "" for a text without words.
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
