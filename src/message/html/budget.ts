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
    if (this.isSpent) throw new TooComplex();
  }

  get isSpent(): boolean {
    return this.#left < 0;
  }
}

/** HTML as its reader sees it. */
export interface SeenText {
  text: string;
  /** Characters of text that the HTML hides from its reader and `text` leaves out; null if they cannot be counted. */
  hiddenChars: number | null;
  /** Whether `text` has words of which only a browser can tell if a reader sees them. */
  isUnsure: boolean;
  /** Whether `text` lacks words because the HTML or its text is longer than the limits. */
  isCut: boolean;
}

/**
 * What the HTML of one message may cost, in all its pieces and in all its readings, so that many small ones cost no more
 * than one.
 */
export class HtmlBudget {
  /** What HTML says that has been read. */
  readonly known = new Map<string, SeenText>();
  /** For finding what is hidden. */
  readonly seeing = new Work();
  /** For finding where words stand. */
  readonly layout = new Work();
  #tags = TAGS_MAX;

  /** Takes the tags of HTML from those left; false if it has more, and from then on. Each `<` counts. */
  takeTags(html: string): boolean {
    for (let at = html.indexOf("<"); at >= 0 && this.#tags >= 0; at = html.indexOf("<", at + 1)) this.#tags--;
    return this.#tags >= 0;
  }

  /** Whether HTML is no longer read as a whole. */
  get isSpent(): boolean {
    return this.#tags < 0 || this.seeing.isSpent || this.layout.isSpent;
  }
}
