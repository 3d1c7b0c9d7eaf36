/** Text that is already HTML. Only `html` and `raw` make it. */
export class SafeHtml {
  constructor(readonly text: string) {}
}

type Part = string | SafeHtml | readonly Part[];

/** A template whose values are escaped, unless they are templates themselves; lists are joined. */
export function html(strings: TemplateStringsArray, ...values: Part[]): SafeHtml {
  return new SafeHtml(
    strings.map((string, i) => (i < values.length ? string + render(values[i] as Part) : string)).join(""),
  );
}

/** For text that the program itself wrote. */
export function raw(text: string): SafeHtml {
  return new SafeHtml(text);
}

function render(value: Part): string {
  if (value instanceof SafeHtml) return value.text;
  return typeof value === "string" ? Bun.escapeHTML(value) : value.map(render).join("");
}
