import fc from "fast-check";

/** Runs of a property that says nothing else. */
const RUNS = 100;
/** Every machine tries the same inputs, so that a green build does not turn red by itself. */
const SEED = 20_260_515;
/**
 * The search for the smallest input that fails ends before Bun's limit of 30 s for a test would hide its result. So does a
 * search on a machine that is too busy to try all inputs: those that it tried count.
 */
const PATIENCE_MS = 20_000;

// `E2A_PROPERTY_RUNS` tries more inputs than usual, `E2A_PROPERTY_SEED` other ones: a number, or "random".
const { E2A_PROPERTY_RUNS: askedRuns, E2A_PROPERTY_SEED: askedSeed } = process.env;
const runs = Number(askedRuns ?? RUNS);
const seed = askedSeed === "random" ? Date.now() & 0x7fffffff : Number(askedSeed ?? SEED);

/**
 * Tries a property of fast-check on `runs` inputs and throws the smallest one that fails, with the way to repeat it.
 *
 * @param options `share`: the part of those runs that is enough, for properties that take milliseconds each
 */
export async function holds<Ts extends [unknown, ...unknown[]]>(
  property: fc.IAsyncProperty<Ts> | fc.IProperty<Ts>,
  { share = 1 }: { share?: number } = {},
): Promise<void> {
  const details = await fc.check(property as fc.IAsyncProperty<Ts>, {
    seed,
    numRuns: Math.max(1, Math.ceil(runs * share)),
    interruptAfterTimeLimit: PATIENCE_MS * Math.max(1, runs / RUNS),
    // Who asks for a number of runs wants to know that they took place.
    markInterruptAsFailure: askedRuns !== undefined,
  });
  if (!details.failed && details.numRuns > 0) return;
  const { numRuns, errorInstance } = details;
  const again = `E2A_PROPERTY_SEED=${details.seed} E2A_PROPERTY_RUNS=${Math.ceil(numRuns / share)}`;
  throw new Error(`${fc.defaultReportMessage(details)}\nRepeat it with ${again} before "bun test" and this file.`, {
    cause: errorInstance,
  });
}

/** A step of a model: what it does is said by `run`, which compares the answers of the model and the real thing. */
export function step<Model extends object, Real, Given>(
  name: string,
  given: fc.Arbitrary<Given>,
  run: (given: Given, model: Model, real: Real) => Promise<void>,
): fc.Arbitrary<fc.AsyncCommand<Model, Real>> {
  return given.map((value) => ({
    check: () => true,
    run: (model, real) => run(value, model, real),
    toString: () => `${name}(${fc.stringify(value)})`,
  }));
}

/**
 * Texts in which these pieces, any graphemes, control characters, halves of surrogate pairs and line ends stand side by side: what
 * somebody writes who looks for a gap between two readers.
 */
export function textWith(pieces: readonly string[], maxPieces = 12): fc.Arbitrary<string> {
  const odd = fc.constantFrom(
    "\0",
    "\r",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\ud83d",
    "\u202e",
    "\ufeff",
    "\u0301",
    "\u2028",
    "\x7f",
  );
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...pieces) },
    { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 8 }) },
    { weight: 1, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 100, size: "max" }) },
    { weight: 1, arbitrary: odd },
  );
  return fc.array(piece, { maxLength: maxPieces, size: "max" }).map((parts) => parts.join(""));
}
