/** Longer than any command of the format. */
const COMMAND_CHARS_MAX = 62;

/**
 * Turns text/enriched (RFC 1896), and its older form text/richtext (RFC 1341 7.1.3), into plain text: commands go, and
 * of the line ends in a row, the first is a space. Time is linear.
 */
export function unenriched(text: string): string {
  let out = "";
  let isParameter = false;
  const lines = text.replace(/\r\n?/g, "\n").replace(/\n(\n*)/g, (_, further: string) => further || " ");
  for (let at = 0; at < lines.length; ) {
    const open = lines.indexOf("<", at);
    const plain = lines.slice(at, open < 0 ? undefined : open);
    if (!isParameter) out += plain;
    if (open < 0) break;
    if (lines[open + 1] === "<") {
      if (!isParameter) out += "<";
      at = open + 2;
      continue;
    }
    const command = /^<(\/?)([\w-]{1,60})>/.exec(lines.slice(open, open + COMMAND_CHARS_MAX + 2));
    if (!command) {
      if (!isParameter) out += "<";
      at = open + 1;
      continue;
    }
    const [whole, end, name = ""] = command;
    const lower = name.toLowerCase();
    if (lower === "param") isParameter = end === "";
    else if (lower === "lt") out += "<";
    else if (lower === "nl") out += "\n";
    else if (lower === "paragraph" && end) out += "\n\n";
    at = open + whole.length;
  }
  return out;
}
