/** Rules and declarations read, or work that takes as long; a newsletter of 150 KB needs 100,000. */
const WORK_MAX = 500_000;
/** Tags that are laid out. Newsletters have a few thousand, long reports 100,000; more take seconds. */
const TAGS_MAX = 200_000;

/** Thrown when the styles of HTML cost more work than they may, or were not read whole. */
export class TooComplex extends Error {}

/** A limited amount of work. */
export class Work {
  #left = WORK_MAX;

  /** Throws `TooComplex` once the limit is passed, and from then on. */
  spend(amount: number): void {
    this.#left -= amount;
    if (this.#left < 0) throw new TooComplex();
  }
}

/** What the HTML of one message may cost, all pieces together, so that many small ones cost no more than one. */
export class HtmlBudget {
  /** To find hidden words. */
  readonly seeing = new Work();
  /** To find where words are. */
  readonly layout = new Work();
  #tags = TAGS_MAX;

  /** Counts the tags of HTML, each `<` as one. False once the message has too many. */
  takeTags(html: string): boolean {
    for (let at = html.indexOf("<"); at >= 0 && this.#tags >= 0; at = html.indexOf("<", at + 1)) this.#tags--;
    return this.#tags >= 0;
  }
}
