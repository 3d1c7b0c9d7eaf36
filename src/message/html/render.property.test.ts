import { expect, test } from "bun:test";
import fc from "fast-check";
import { htmlToText } from "./text.ts";

const names = (
  "a b blockquote body center dd div dl dt em fieldset figure font form h1 html i li main nav noscript ol p pre section " +
  "span strong sub sup table tbody td th thead tr u ul x-y"
).split(" ");
const styles = [
  "display:block",
  "display:inline",
  "display:flex",
  "display:table-cell",
  "white-space:pre",
  "list-style:none",
];
const tag = fc
  .tuple(fc.constantFrom(...names), fc.option(fc.constantFrom(...styles), { freq: 3 }))
  .map(([name, style]) => ({ begin: style === null ? `<${name}>` : `<${name} style="${style}">`, end: `</${name}>` }));

const inOrder = (html: string) => [...(htmlToText(html).match(/w\d+e/g) ?? [])];

/** HTML of nested elements, and the words in it. A word is whole even if others are beside it. */
const nested = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.constant("WORD"),
    fc.constantFrom("<br>", "<hr>", " ", "\n", "&nbsp;", '<img alt="">', "<!-- c -->"),
    fc
      .tuple(tag, fc.array(tie("tree"), { maxLength: 5 }))
      .map(([{ begin, end }, children]) => `${begin}${children.join("")}${end}`),
  ),
})).tree;

/** Tags in any order, as broken programs leave them. */
const soup = fc
  .array(
    fc.oneof(
      fc.constant("WORD"),
      tag.map(({ begin }) => begin),
      tag.map(({ end }) => end),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

function numbered(html: string): { html: string; words: string[] } {
  const words: string[] = [];
  return {
    html: html.replace(/WORD/g, () => {
      words.push(`w${words.length}e`);
      return words.at(-1) as string;
    }),
    words,
  };
}

test("every word is in the text, in order", () => {
  fc.assert(
    fc.property(fc.oneof(nested, soup), (pattern) => {
      const { html, words } = numbered(pattern);
      expect(inOrder(html)).toEqual(words);
    }),
    { numRuns: 2_000 },
  );
});

const wrapped = fc.constantFrom(
  "%",
  "<p>%</p>",
  "<div>%</div>",
  "<b>%</b>",
  " <font>%</font>\n",
  "<p><span>%</span></p>",
  "%<br>",
);
const cell = fc.tuple(fc.nat({ max: 9_999 }), wrapped).map(([figure, form]) => ({
  figure: String(figure),
  html: form.replace("%", String(figure)),
}));

test("cells and rows keep their figures apart", () => {
  const grid = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 2, max: 6 }))
    .chain(([rows, columns]) =>
      fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
    );
  fc.assert(
    fc.property(grid, fc.constantFrom("</td>", ""), fc.constantFrom("", "\n  "), (rows, tdEnd, space) => {
      const cells = (row: { html: string }[]) => row.map(({ html }) => `${space}<td>${html}${tdEnd}`).join("");
      const html = `<table>${rows.map((row) => `${space}<tr>${cells(row)}</tr>`).join("")}</table>`;
      const read = htmlToText(html)
        .split("\n")
        .map((line) => line.split("\t"));
      expect(read).toEqual(rows.map((row) => row.map(({ figure }) => figure)));
    }),
  );
});

test("whatever the cells hold, no word joins one of another cell", () => {
  const content = fc.array(
    fc.oneof(
      fc.constant("WORD "),
      tag.map(({ begin, end }) => `${begin}WORD ${end}`),
    ),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  fc.assert(
    fc.property(fc.array(fc.array(content, { maxLength: 4 }), { maxLength: 4 }), (rows) => {
      const cells = (row: string[][]) => row.map((parts) => `<td>${parts.join("").trimEnd()}</td>`).join("");
      const { html } = numbered(`<table>${rows.map((row) => `<tr>${cells(row)}</tr>`).join("")}</table>`);
      const seams = [...html.matchAll(/w(\d+)e(?:[^w]*?)<\/td>[^w]*?w(\d+)e/g)];
      const text = htmlToText(html);
      for (const [, left, right] of seams) expect(text).not.toContain(`w${left}ew${right}e`);
    }),
  );
});

test("no HTML makes it fail, and the text has no tag that was read as one", () => {
  const parts = [
    "<",
    ">",
    "</",
    "/>",
    '"',
    "'",
    "=",
    "&",
    ";",
    "#x",
    "\n",
    " ",
    "a",
    "td",
    "table",
    "style",
    "!--",
    "-->",
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 80 }), (piece) => {
      expect(typeof htmlToText(piece.join(""))).toBe("string");
    }),
    { numRuns: 1_000 },
  );
});
