import { BULLET, type HtmlLine, LINK, LINK_END, readPlainHtml } from "./plain-html.ts";

/** Longer HTML is not compared: Gmail hides what follows 102 KB. In UTF-8. */
const HTML_BYTES_MAX = 90_000;
const TEXT_CHARS_MAX = 2 * HTML_BYTES_MAX;

/** How what HTML says differs from a text. */
export interface Sameness {
  /** Whether it is certain that its readers see the same words, figures and signs in the same order. */
  isSame: boolean;
  /** What the HTML has besides elements without any style, such as attributes. */
  odd: string[];
}

/** Whether it is certain that readers of the HTML see what readers of the text see. Time is linear in the lengths. */
export function saysTheSame(text: string, html: string): boolean {
  return compareWords(text, html).isSame;
}

/**
 * Compares HTML with a text. Marks of quotes and list items count as the elements that they stand for, and a text may
 * give the target of a link after its words, or write the link as Markdown does. Time is linear in the lengths.
 */
export function compareWords(text: string, html: string): Sameness {
  if (text.length > TEXT_CHARS_MAX || html.length > HTML_BYTES_MAX || Buffer.byteLength(html) > HTML_BYTES_MAX)
    return { isSame: false, odd: ["its length"] };
  const { lines, targets, odd } = readPlainHtml(html);
  if (odd.length > 0) return { isSame: false, odd };
  const written = text
    .replace(/[\0-\x08\x0e-\x1f\x7f]/g, "\ufffd")
    .split(/\r\n?|\n/)
    .map((line) => ({ depth: 0, text: line }));
  const [words, shown] = [sequence(written), sequence(lines)];
  return { isSame: words !== "" && follows(words, shown, targets), odd };
}

const QUOTE = "\u0004";
const QUOTE_END = "\u0005";

/** The words, figures and signs of lines in their order, with marks where quotes and items begin and end. */
function sequence(lines: readonly HtmlLine[]): string {
  const parts: string[] = [];
  let depth = 0;
  for (const line of lines) {
    const whole = trimmed(folded(line.text));
    const [marks = ""] = /^[> ]*/.exec(whole) ?? [];
    const count = marks.replaceAll(" ", "").length;
    // In front of a figure, `>` may mean that it is greater.
    const isSign = count > 0 && line.depth + count !== depth && /^[-+]?[\p{N}\p{Sc}]/u.test(whole.slice(marks.length));
    const text = isSign ? `${">".repeat(count)} ${whole.slice(marks.length)}` : whole.slice(marks.length);
    // A rule between paragraphs says nothing.
    if (text === "" || /^(?:-{3,}|_{3,}|\*{3,}|={3,})$/.test(text)) continue;
    const inside = line.depth + (isSign ? 0 : count);
    parts.push(inside > depth ? QUOTE.repeat(inside - depth) : QUOTE_END.repeat(depth - inside));
    depth = inside;
    // `+` and `-` may be signs; in front of a figure, `*` may be one.
    parts.push(text.replace(/^[*•] (?![\p{N}\p{Sc}])/u, `${BULLET} `));
  }
  return trimmed(parts.join(" ").replace(/ +/g, " "));
}

function trimmed(text: string): string {
  return text.replace(/^ | $/g, "");
}

/**
 * One form of each letter, and of spaces, hyphens, quotation marks and dots that look alike. JavaScript's white space is
 * more than that of HTML and CSS: programs show some of it as nothing.
 */
function folded(text: string): string {
  return text
    .normalize("NFC")
    .replace(/[\t\n\r\p{Zs}]+/gu, " ")
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"')
    .replaceAll("\u2026", "...");
}

/** Targets that a text may give for a link: addresses and numbers, not words that only its readers would see. */
const address =
  /^(?:https?:\/\/[a-z\d-]+(?:\.[a-z\d-]+)+(?::\d+)?(?:[/?#]\S*)?|mailto:[\w.+-]+@[a-z\d-]+(?:\.[a-z\d-]+)+|tel:\+?\d{5,15})$/i;

/** Whether a text says what HTML shows, with or without the targets of its links. */
function follows(text: string, shown: string, targets: readonly string[]): boolean {
  let at = 0;
  let link = 0;
  let isMarkdown = false;
  let hasWords = false;
  for (const part of shown.split(/([\x02\x03])/)) {
    if (part === LINK) {
      hasWords = false;
      isMarkdown = text[at] === "[";
      if (isMarkdown) at++;
    } else if (part === LINK_END) {
      const target = folded(targets[link++] ?? "");
      const forms = hasWords && address.test(target) ? [target, target.replace(/^mailto:/i, "")] : [];
      const written = isMarkdown
        ? forms.map((one) => `](${one})`)
        : forms.flatMap((one) => [`<${one}>`, `(${one})`].flatMap((form) => [form, ` ${form}`]));
      const found = written.find((one) => text.startsWith(one, at));
      if (found !== undefined) at += found.length;
      else if (isMarkdown) return false;
    } else {
      if (!text.startsWith(part, at)) return false;
      at += part.length;
      hasWords ||= /[\p{L}\p{N}]/u.test(part);
    }
  }
  return at === text.length;
}
