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
  /** To find hidden words. */
  seeing = new Work();
  /** To find where words are. */
  layout = new Work();
  #tags = TAGS_MAX;

  /** Allows as much work again, for another reading of the whole message. Its tags, which take longer, stay counted. */
  renewWork(): void {
    this.seeing = new Work();
    this.layout = new Work();
  }

  /** Counts the tags of HTML, each `<` as one. False once the message has too many. */
  takeTags(html: string): boolean {
    for (let at = html.indexOf("<"); at >= 0 && this.#tags >= 0; at = html.indexOf("<", at + 1)) this.#tags--;
    return this.#tags >= 0;
  }

  /** Whether HTML is no longer read as a whole. */
  get isSpent(): boolean {
    return this.#tags < 0 || this.seeing.isSpent || this.layout.isSpent;
  }
}
