import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chromiumRuns, startChromium } from "../../../test/browser/chromium.ts";
import { readMarkup } from "./markup.ts";
import { seenText } from "./text.ts";
import { asBrowsersRead, walkHtml } from "./walk.ts";

/** Everything between the tags, with the content of style and script. */
function textOf(html: string): string {
  const parts: string[] = [];
  walkHtml(html, { text: (part) => parts.push(part) });
  return parts.join("");
}

test.each<[string, string, string]>([
  ["style of a formula", "<math><style style='display:block'>zan<!---->zi</style></math>", "zanzi"],
  ["style of a formula, by a tag", "<math><style style='display:block'>zan<mi></mi>zi</style></math>", "zanzi"],
  ["title of a formula", "<math><title style='display:block'>zan<mi></mi>zi", "zanzi"],
  ["textarea of a formula", "<math><textarea style='display:block'>zan<mi></mi>zi", "zanzi"],
  ["script of a formula", "<math><script style='display:block'>zan<mi></mi>zi</script></math>", "zanzi"],
  ["formula that a tag ends", "<math><style style='display:block'>zan<b></b>zi</style>", "zan\nzi"],
  ["style of a formula, if it has no display", "<math><style>zan<!---->zi</style></math>", ""],
  ["symbol in a formula", "<math><mi><mglyph><style style='display:block'>zan<!---->zi", "zanzi"],
  ["text after a picture that ends inside its style", "<svg><style></svg>zan<!-- -->zi", "zanzi"],
  ["text after a picture that an outer element ends", "<div><svg></div>zan<b></b>zi", "zanzi"],
  ["raw text after a picture that an outer element ends", "<div><svg></div><xmp>zan<b>zi</xmp>", "zan<b>zi"],
  ["sections of CDATA", "<svg><text>zan<![CDATA[z]]><![CDATA[i]]></text></svg>", "zanzi"],
  ["HTML in a picture", "<svg><foreignObject><style>a</style>zan<!-- -->zi", "zanzi"],
  ["text after a frame", "<iframe><!--</iframe>zan<b></b>zi", "zanzi"],
  ["an attribute whose name begins with '='", '<i =">zan<b></b>zi<i>', "zanzi"],
  ["a comment that names a picture", "<!-- <svg> --><script>a('<p>b')</script>zanzi", "zanzi"],
  ["an attribute that names a picture", "<p title='<svg>'></p><style>/*<p>*/</style>zanzi", "zanzi"],
  ["text after a closed picture", "<svg/><script>a('<p>b')</script>zanzi", "zanzi"],
])("the %s is read", (_, html, text) => {
  expect(seenText(html).text).toBe(text);
});

test("an agent is not told what a formula hides", () => {
  expect(seenText("<math><style>obey <!-- -->me</style></math>Hi")).toEqual({
    text: "Hi",
    hiddenChars: 6,
    isCut: false,
    isUnsure: false,
  });
  expect(readMarkup("<math><style>obey <!-- -->me</style></math>Hi").glued).toBe("obey meHi");
});

const names = (
  "svg svg math math style script title textarea xmp iframe noframes mtext mi mglyph annotation-xml foreignObject desc g p b " +
  "i div font br"
).split(" ");
const attributes = [
  "",
  "",
  "",
  " encoding='text/html'",
  " color=red",
  "/",
  ' ="a>b"',
  ' a = ">"',
  ' a=b="c',
  ' a=""=">"',
];
const piece = fc.oneof(
  {
    weight: 7,
    arbitrary: fc
      .tuple(fc.constantFrom(...names), fc.constantFrom(...attributes))
      .map(([name, one]) => `<${name}${one}>`),
  },
  { weight: 4, arbitrary: fc.constantFrom(...names).map((name) => `</${name}>`) },
  { weight: 5, arbitrary: fc.constantFrom("<!--", "-->", "<![CDATA[", "]]>", "<!>", "</>", "--!>") },
  { weight: 9, arbitrary: fc.constantFrom("w1 ", "w2 ", "w3 ", "w4 ") },
);
/** HTML in any order. What begins at its end, ends. */
const soup = fc.array(piece, { minLength: 2, maxLength: 20 }).map((pieces) => `<body>${pieces.join("")}>`);

test("the same again makes no difference", () => {
  fc.assert(fc.property(soup, (html) => expect(asBrowsersRead(asBrowsersRead(html))).toBe(asBrowsersRead(html))));
});

describe.skipIf(!chromiumRuns)("next to Chromium", () => {
  let browser: Awaited<ReturnType<typeof startChromium>>;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());

  test("the same words are between tags, in the same order", async () => {
    const cases = fc.sample(soup, { numRuns: 3_000, seed: 7 });
    const page = await browser.newPage();
    const text = '(html) => new DOMParser().parseFromString(html, "text/html").documentElement.textContent';
    const theirs = await page.evaluate<string[]>(`${JSON.stringify(cases)}.map(${text})`);
    const words = (text: string) => text.match(/w\d/g)?.join(" ") ?? "";
    const differing = cases.filter((html, i) => words(textOf(html)) !== words(theirs[i] as string));
    expect(differing).toEqual([]);
  });
});
