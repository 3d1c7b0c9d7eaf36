import fc from "fast-check";

/** The default number of runs of a property. */
const RUNS = 100;
/** Every machine tries the same inputs, so that a green build does not turn red without a change. */
const SEED = 20_260_515;
/**
 * The search for the smallest failing input must end before Bun's limit of 30 s per test, which would hide its result.
 * The limit also applies on a machine that is too busy to try all inputs: then those that it tried count.
 */
const PATIENCE_MS = 20_000;

// `E2A_PROPERTY_RUNS` changes the number of inputs; `E2A_PROPERTY_SEED`, a number or "random", selects other ones.
const { E2A_PROPERTY_RUNS: askedRuns, E2A_PROPERTY_SEED: askedSeed } = process.env;
const runs = Number(askedRuns ?? RUNS);
const seed = askedSeed === "random" ? Date.now() & 0x7fffffff : Number(askedSeed ?? SEED);

/**
 * Tries a property of fast-check on `runs` inputs, and throws the smallest failing input with the way to repeat it.
 *
 * @param options `share`: the fraction of the runs that suffices, for properties that take milliseconds each
 */
export async function holds<Ts extends [unknown, ...unknown[]]>(
  property: fc.IAsyncProperty<Ts> | fc.IProperty<Ts>,
  { share = 1 }: { share?: number } = {},
): Promise<void> {
  const details = await fc.check(property as fc.IAsyncProperty<Ts>, {
    seed,
    numRuns: Math.max(1, Math.ceil(runs * share)),
    interruptAfterTimeLimit: PATIENCE_MS * Math.max(1, runs / RUNS),
    // If a number of runs is requested, fewer runs are a failure.
    markInterruptAsFailure: askedRuns !== undefined,
  });
  if (!details.failed && details.numRuns > 0) return;
  const { numRuns, errorInstance } = details;
  const again = `E2A_PROPERTY_SEED=${details.seed} E2A_PROPERTY_RUNS=${Math.ceil(numRuns / share)}`;
  throw new Error(`${fc.defaultReportMessage(details)}\nRepeat it with ${again} before "bun test" and this file.`, {
    cause: errorInstance,
  });
}

/** A step of a model. `run` performs it, and compares the model's answers with those of the real thing. */
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
 * Generates texts that mix these pieces with any graphemes, control characters, lone surrogates and line ends, as an
 * attacker would to find a difference between two readers.
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
