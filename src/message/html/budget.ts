/** Rules and declarations looked at, and what takes as long; a newsletter of 150 KB needs 100,000. */
const WORK_MAX = 500_000;
/** Tags that are laid out. Newsletters have a few thousand, long reports 100,000; more take seconds. */
const TAGS_MAX = 200_000;

/** Thrown when the styles of HTML cost more work than is worth it, or are not read as a whole. */
export class TooComplex extends Error {}

/** Work that may be done for one purpose. */
export class Work {
  #left = WORK_MAX;

  /** Throws `TooComplex` once the work is more than is worth it, and from then on. */
  spend(amount: number): void {
    this.#left -= amount;
    if (this.#left < 0) throw new TooComplex();
  }
}

/** What the HTML of one message may cost, in all its pieces, so that many small ones cost no more than one. */
export class HtmlBudget {
  /** For finding what is hidden. */
  readonly seeing = new Work();
  /** For finding where words are. */
  readonly layout = new Work();
  #tags = TAGS_MAX;

  /** Takes the tags of HTML from those left; false if it has more, and from then on. Each `<` counts. */
  takeTags(html: string): boolean {
    for (let at = html.indexOf("<"); at >= 0 && this.#tags >= 0; at = html.indexOf("<", at + 1)) this.#tags--;
    return this.#tags >= 0;
  }
}
