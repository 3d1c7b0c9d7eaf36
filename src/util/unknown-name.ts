/** Only this many characters of an unknown name are compared, and repeated in the answer. */
const NAME_CHARS_MAX = 64;
/** If no known name is near, all are listed, up to this many. */
const LISTED_MAX = 20;

/** Names that clients carry over from another place: the text of a received message is in `text`. */
const synonyms = new Map([["text", "body"]]);

/** Completes "<name> …": says that the name is unknown, and suggests the nearest of the `known` names or lists them. */
export function unknownSentence(name: string, known: readonly string[]): string {
  const meant = meantBy(name.slice(0, NAME_CHARS_MAX), known);
  if (meant !== null) return `is unknown: did you mean ${meant}?`;
  if (known.length === 0) return "is unknown: none are allowed here";
  return known.length > LISTED_MAX ? "is unknown" : `is unknown: known are ${known.join(", ")}`;
}

/** An unknown name as an answer may repeat it. */
export function shownName(name: string): string {
  return name.slice(0, NAME_CHARS_MAX).toWellFormed();
}

/** The candidate with the fewest edits, or null if that takes more than `editsMax`. */
export function nearest(name: string, candidates: readonly string[], editsMax: number): string | null {
  const near = candidates.filter((candidate) => Math.abs(candidate.length - name.length) <= editsMax);
  const ranked = near.map((candidate) => ({ candidate, edits: editDistance(name, candidate) }));
  const best = ranked.sort((a, b) => a.edits - b.edits)[0];
  return best && best.edits <= editsMax ? best.candidate : null;
}

/** The known name that was meant: in another style (`htmlBody`), with typos, or with some of its words (`html`). */
function meantBy(name: string, known: readonly string[]): string | null {
  const synonym = synonyms.get(name.toLowerCase());
  if (synonym !== undefined && known.includes(synonym)) return synonym;
  const plain = plainOf(name);
  const editsMax = Math.min(3, Math.floor((plain.length - 1) / 2));
  const plains = known.map(plainOf);
  const near = plain === "" ? null : nearest(plain, plains, editsMax);
  if (near !== null) return known[plains.indexOf(near)] ?? null;
  const words = wordsOf(name);
  const shared = (one: string) => {
    const others = wordsOf(one);
    const both = others.filter((word) => words.includes(word)).length;
    return both === others.length || both === words.length ? both : 0;
  };
  const ranked = known.map((one) => ({ one, shared: shared(one) })).sort((a, b) => b.shared - a.shared);
  return ranked[0] && ranked[0].shared > 0 ? ranked[0].one : null;
}

function plainOf(name: string): string {
  return wordsOf(name).join("");
}

/** `htmlBody`, `html-body` and `HTML_BODY` are all `html`, `body`. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\d]/u)
    .filter((word) => word !== "");
}

/** Levenshtein distance: insertions, deletions and replacements, one row of the table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
