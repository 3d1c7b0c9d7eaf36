/** Builds plain text from lines, quotes, lists and tables. Time and memory are linear in what is added. */

/** Quotes and lists in each other that are marked at the beginning of a line; deeper ones have no further mark. */
const MARGINS_MAX = 12;

/** What precedes the lines of a quote or of a list item, after that of the blocks around it. */
export interface Margin {
  readonly outer: Margin | null;
  readonly depth: number;
  /** In front of a line, with everything around it. */
  readonly whole: string;
  readonly own: string;
  /** The number or bullet, in front of the first line alone; null once it is written. */
  marker: string | null;
  /** Whether its marker, or one of those around it, may still be due. */
  isDue: boolean;
}

interface Line {
  text: string;
  /** Line ends before it: with two there is a blank line. With 0 it follows the line before, after `gap`. */
  breaks: number;
  gap: string;
  /** The margin, with the markers that are due. */
  start: string;
  margin: Margin | null;
  isRule: boolean;
  /** Whether white space at its end counts. */
  isKept: boolean;
}

interface Cell {
  /** The index of its first line, and of the line after its last one. */
  from: number;
  to: number;
  column: number;
  isWide: boolean;
  /** Whether its words fit on one line, beside those of other cells. */
  isSingle: boolean;
  /** Line ends that were due before and after it. */
  breaks: number;
  after: number;
}

export interface Table {
  readonly rows: Cell[][];
  readonly from: number;
  row: Cell[] | null;
  column: number;
  cell: Cell | null;
  cellLines: number;
}

/** How white space counts (CSS Text 3): folded, folded within lines, or kept. */
export type Spacing = "folded" | "lines" | "kept";

/** A row of so many cells with words is a record, such as a position of an invoice, rather than a layout. */
const RECORD_CELLS_MIN = 3;
/** Lines of a cell that are written on one: a product with its number and its size. */
const FLAT_LINES_MAX = 3;

/** Characters that take no room. Newsletters pad lines with them. */
const unseen = "\u00ad\u034f\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff";
const isSeen = new RegExp(`[^\\s${unseen}]`);
const blanks = ` \t\n\r\f\v\u00a0\u2007\u202f\u3000${unseen}`;
const RULE = "-".repeat(40);

export class Lines {
  private readonly lines: Line[] = [];
  /** Lines that begin on a line of their own. */
  private ownLines = 0;
  /** The line that words are added to. It is among `lines` once it has a character that is seen. */
  private open: Line | null = null;
  private isOpenSeen = false;
  /** Line ends that are due before the next words. */
  private breaks = 0;
  /** White space that is due before the next words of the line. */
  private gap = "";
  private margin: Margin | null = null;

  /** Begins a quote or an indented block; its lines follow until `leave` is called with the margin around it. */
  enter(own: string, marker: string | null = null): Margin | null {
    const outer = this.margin;
    if ((outer?.depth ?? 0) >= MARGINS_MAX) return outer;
    this.margin = {
      outer,
      depth: (outer?.depth ?? 0) + 1,
      whole: (outer?.whole ?? "") + own,
      own,
      marker,
      isDue: marker !== null || (outer?.isDue ?? false),
    };
    return outer;
  }

  leave(outer: Margin | null): void {
    this.endLine();
    this.margin = outer;
  }

  /** Whether a line has words, so that further words would follow them. */
  get hasWords(): boolean {
    return this.open !== null && this.isOpenSeen;
  }

  /** The last character that was written, or "" at the beginning of a line. */
  get last(): string {
    return this.gap === "" && this.open !== null ? this.lastAdded : "";
  }
  /** Kept apart, because reading the end of a growing string copies the whole string. */
  private lastAdded = "";

  /** A mark that later words can be compared with (`hasWordsSince`). */
  get mark(): number {
    return this.seen;
  }
  private seen = 0;

  hasWordsSince(mark: number): boolean {
    return this.seen > mark;
  }

  /** Ends the line; the next words come after at least this many line ends. */
  block(breaks: number): void {
    this.endLine();
    this.breaks = Math.max(this.breaks, breaks);
  }

  /** A `<br>`: a second one in a row makes a blank line. */
  lineBreak(): void {
    this.block(this.hasWords ? 1 : 2);
  }

  /** White space between words on one line; a tab is stronger than a blank. */
  space(gap: " " | "\t"): void {
    if (this.open !== null && this.gap !== "\t") this.gap = gap;
  }

  words(text: string, spacing: Spacing): void {
    if (spacing === "folded") this.folded(text);
    else {
      const parts = text.split(/\r\n?|\n/);
      for (const [i, part] of parts.entries()) {
        if (i > 0) this.keptLineEnd();
        if (part === "") continue;
        if (spacing === "lines") this.folded(part);
        else this.add(part, true);
      }
    }
  }

  /** A rule across the page; two with nothing between them count as one. */
  rule(): void {
    this.block(2);
    if (this.lines.at(-1)?.isRule) return;
    this.add(RULE);
    if (this.open) this.open.isRule = true;
    this.block(2);
  }

  /** Adds text right after the last words, even if their line has ended. */
  append(text: string): void {
    const line = this.hasWords ? this.open : this.lines.at(-1);
    if (line) line.text += text;
  }

  beginTable(): Table {
    this.block(1);
    return { rows: [], from: this.lines.length, row: null, column: 0, cell: null, cellLines: 0 };
  }

  beginRow(table: Table): void {
    this.endRow(table);
    this.block(1);
    table.row = [];
    table.column = 0;
  }

  endRow(table: Table): void {
    this.endCell(table);
    const { row } = table;
    if (!row) return;
    table.row = null;
    const filled = filledCells(row);
    if (filled.length > 0) table.rows.push(row);
    // A row without words keeps others apart.
    else if (row.length > 0 && this.lines.length > table.from) this.block(2);
    // Words that fill a row alone keep the blank line after them.
    if (filled.length === 1) this.breaks = Math.max(this.breaks, filled[0]?.after ?? 1);
  }

  /** Begins a cell. `span` is the number of columns that it takes. */
  beginCell(table: Table, span: number): void {
    if (table.row) this.endCell(table);
    else this.beginRow(table);
    this.block(1);
    const [from, breaks] = [this.lines.length, this.breaks];
    table.cell = { from, to: from, column: table.column, isWide: span > 1, isSingle: false, breaks, after: 1 };
    table.column += span;
    table.cellLines = this.ownLines;
  }

  endCell(table: Table): void {
    this.endLine();
    const { cell, row } = table;
    if (!cell || !row) return;
    table.cell = null;
    row.push(cell);
    cell.to = this.lines.length;
    cell.isSingle =
      this.ownLines - table.cellLines === 1 &&
      this.lines[cell.from]?.margin === this.margin &&
      !this.lines[cell.from]?.isRule;
    if (cell.to === cell.from) this.breaks = cell.breaks;
    else {
      cell.after = this.breaks;
      if (cell.isSingle) this.breaks = 1;
    }
  }

  /**
   * Puts the cells of each row that have one line each beside each other, separated by tabs. Cells with more lines stay
   * below each other. Columns without words only hold others apart; empty cells of other columns keep their tab.
   */
  endTable(table: Table): void {
    this.endRow(table);
    this.breaks = Math.max(this.breaks, 1);
    if (table.rows.every((row) => row.length === 1)) return;
    const used = new Set<number>();
    for (const row of table.rows)
      for (const cell of row) if (cell.to > cell.from && !cell.isWide) used.add(cell.column);
    const isRecord = (row: readonly Cell[]) => {
      const filled = filledCells(row);
      return filled.length >= RECORD_CELLS_MIN && filled.every(({ isSingle }) => isSingle);
    };
    // Next to a row of figures, a product's second line must not tear its own row apart.
    const hasRecords = table.rows.some(isRecord);
    if (hasRecords)
      for (const row of table.rows)
        if (filledCells(row).length >= RECORD_CELLS_MIN) for (const cell of row) this.flatten(cell);
    let joinedRows = 0;
    for (const row of table.rows) if (this.joinCells(row, used, hasRecords)) joinedRows++;
    const first = this.lines[table.from];
    if (joinedRows >= 2 && first) {
      first.breaks = Math.max(first.breaks, 2);
      this.breaks = 2;
    }
  }

  /** Writes the few lines of a cell on one. */
  private flatten(cell: Cell): void {
    const lines = cell.isSingle || cell.to - cell.from > FLAT_LINES_MAX ? [] : this.lines.slice(cell.from, cell.to);
    const isPlain = (line: Line) => line.margin === this.margin && !line.isRule && line.breaks > 0;
    if (lines.length === 0 || !lines.every(isPlain)) return;
    for (const line of lines.slice(1)) {
      line.breaks = 0;
      line.gap = " / ";
      this.ownLines--;
    }
    cell.isSingle = true;
  }

  private joinCells(row: readonly Cell[], used: ReadonlySet<number>, isAmongRecords: boolean): boolean {
    let before: Cell | null = null;
    let isJoined = false;
    let empty = 0;
    const isAlone = filledCells(row).length === 1;
    for (const cell of row) {
      const line = this.lines[cell.from];
      if (cell.to === cell.from || !line) {
        if (used.has(cell.column)) empty++;
        continue;
      }
      // Words that fill a row alone keep the lines around them, and under columns of figures their place.
      if (isAlone) {
        if (isAmongRecords && cell.isSingle) line.gap = "\t".repeat(empty);
        return false;
      }
      if (cell.isSingle && before?.isSingle) {
        line.breaks = 0;
        line.gap = "\t".repeat(empty + 1);
        this.ownLines--;
        isJoined = true;
      } else if (cell.isSingle) {
        line.breaks = before ? 1 : cell.breaks;
        line.gap = before ? "" : "\t".repeat(empty);
      }
      before = cell;
      empty = 0;
    }
    // Without a cell beside it, words need no tab.
    const first = this.lines[filledCells(row)[0]?.from ?? -1];
    if (!isJoined && first) first.gap = "";
    return isJoined;
  }

  /** The text, cut at this many characters. */
  text(charsMax: number): { text: string; isCut: boolean } {
    this.endLine();
    const parts: string[] = [];
    let room = charsMax;
    let margin: Margin | null = null;
    let isFirst = true;
    for (const line of this.lines) {
      const between = shared(margin, line.margin)?.whole.trimEnd() ?? "";
      // One blank line is enough in a quote.
      const blankLines = Math.min(line.breaks - 1, between === "" ? room : 1);
      const ends = isFirst || line.breaks === 0 ? "" : `\n${`${between}\n`.repeat(blankLines)}`;
      const start = line.breaks === 0 ? "" : line.start;
      const part = `${ends}${start}${line.gap}${line.text}`;
      if (part.length > room) return { text: parts.join("") + withoutHalf(part.slice(0, room)), isCut: true };
      parts.push(part);
      room -= part.length;
      margin = line.margin;
      isFirst = false;
    }
    return { text: parts.join(""), isCut: false };
  }

  private folded(text: string): void {
    const folded = text.replace(/[ \t\n\r\f]+/g, " ");
    if (folded.startsWith(" ")) this.space(" ");
    const inside = folded.slice(
      folded.startsWith(" ") ? 1 : 0,
      folded.length > 1 && folded.endsWith(" ") ? -1 : undefined,
    );
    if (inside === "") return;
    this.add(inside);
    if (folded.endsWith(" ")) this.space(" ");
  }

  private add(text: string, isKept = false): void {
    this.open ??= this.newLine();
    const line = this.open;
    line.isKept = isKept;
    if (isSeen.test(text)) {
      this.seen++;
      if (!this.isOpenSeen) {
        this.isOpenSeen = true;
        line.start = this.startOfLine();
        this.lines.push(line);
        this.ownLines++;
      }
    }
    const added = text.replaceAll("\u00a0", " ");
    line.text += this.gap + added;
    this.lastAdded = added.at(-1) ?? "";
    this.gap = "";
  }

  private newLine(): Line {
    const line: Line = {
      text: "",
      breaks: this.breaks,
      gap: "",
      start: "",
      margin: this.margin,
      isRule: false,
      isKept: false,
    };
    this.breaks = 0;
    this.gap = "";
    this.lastAdded = "";
    this.isOpenSeen = false;
    return line;
  }

  /** The margin with the markers of the items that begin here. */
  private startOfLine(): string {
    if (!this.margin?.isDue) return this.margin?.whole ?? "";
    let start = "";
    for (let margin: Margin | null = this.margin; margin !== null; margin = margin.outer) {
      start = (margin.marker ?? margin.own) + start;
      margin.marker = null;
      margin.isDue = false;
    }
    return start;
  }

  private endLine(): void {
    const line = this.open;
    if (!line) return;
    this.open = null;
    this.gap = "";
    if (this.isOpenSeen) {
      if (!line.isKept) line.text = withoutBlankEnd(line.text);
      this.breaks = 1;
    }
    // White space that is kept, such as a no-break space, makes a blank line.
    else this.breaks = Math.max(line.breaks, 2);
  }

  private keptLineEnd(): void {
    const breaks = this.hasWords ? 0 : (this.open?.breaks ?? this.breaks);
    this.endLine();
    this.breaks = breaks + 1;
  }
}

function filledCells(row: readonly Cell[]): Cell[] {
  return row.filter((cell) => cell.to > cell.from);
}

function withoutBlankEnd(text: string): string {
  let end = text.length;
  while (end > 0 && blanks.includes(text[end - 1] as string)) end--;
  return text.slice(0, end);
}

/** A text without the first half of a surrogate pair at its end. */
function withoutHalf(text: string): string {
  return /[\ud800-\udbff]$/.test(text.slice(-1)) ? text.slice(0, -1) : text;
}

/** The innermost quote or list around both. */
function shared(one: Margin | null, other: Margin | null): Margin | null {
  while (one !== other) {
    if ((one?.depth ?? 0) >= (other?.depth ?? 0)) one = one?.outer ?? null;
    else other = other?.outer ?? null;
  }
  return one;
}
