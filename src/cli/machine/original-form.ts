/** The flags of the original server, which had no commands; Go's `flag` package takes one dash or two. */
const flagPattern = /^--?(config|bootstrap-email)(?:=(.*))?$/s;

/**
 * Translates the original's `e2a -config FILE [-bootstrap-email ADDRESS]` to `bootstrap` or `serve`. Any other command
 * line comes back unchanged.
 */
export function withoutOriginalForm(argv: readonly string[]): readonly string[] {
  const given = new Map<string, string>();
  let at = 0;
  for (; at < argv.length; at++) {
    const [, name, joined] = flagPattern.exec(argv[at] ?? "") ?? [];
    if (name === undefined) break;
    // Without its value, the flag is left to the command, which says that it is missing.
    const isAlone = joined === undefined && flagPattern.test(argv[at + 1] ?? "");
    const value = joined ?? (isAlone ? undefined : argv[++at]);
    given.set(name, value === undefined ? "" : `=${value}`);
  }
  // A command behind flags is no command line of the original, which took no other words.
  const next = argv[at] ?? "-";
  if (given.size === 0 || !next.startsWith("-")) return argv;
  const config = given.get("config");
  const email = given.get("bootstrap-email");
  return [
    email === undefined ? "serve" : "bootstrap",
    ...(config === undefined ? [] : [`--config${config}`]),
    ...(email === undefined ? [] : [`--email${email}`]),
    ...argv.slice(at),
  ];
}
