import { join } from "node:path";
import { Glob } from "bun";
import ts from "typescript-for-generators";

/**
 * Analyses every regular expression of the source: matching must take time linear in the text, for any text.
 * scripts/regexps.json records the verdicts, so that only new expressions are analysed, and the reason for each one that
 * is allowed without the verdict "safe". `bun run check` runs it.
 *
 *   bun scripts/regexps.ts           reports problems
 *   bun scripts/regexps.ts --write   the same, and records new verdicts
 */

const project = join(import.meta.dir, "..");
const verdictsFile = join(project, "scripts/regexps.json");
/** Code that runs on untrusted text. Tests and their helpers are excluded. */
const sources = ["src/**/*.{ts,tsx}", "web/src/**/*.{ts,tsx}", "sdks/typescript/src/**/*.{ts,tsx}"];
const notAnalysed = /\.test\.tsx?$|\.d\.ts$|\/testing\//;
/** Time limit for the analysis of one expression; most take a few ms. */
const ANALYSIS_MS = 60_000;

/** Expressions as they are written in TypeScript: `/a+/gi`. */
interface Verdicts {
  /** Proven linear by recheck. */
  safe: string[];
  /** Not proven linear, each with the reason why it is harmless. */
  allowed: Record<string, string>;
}

interface Found {
  /** `/source/flags`, or the text of a `new RegExp(…)` that cannot be evaluated here. */
  expression: string;
  place: string;
  pattern: { source: string; flags: string } | null;
}

/** Every regular expression of one file: literals, and `new RegExp` of constants. */
export function regularExpressions(path: string, text: string): Found[] {
  const kind = path.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, kind);
  const constants = new Map<string, ts.Expression>();
  const found: Found[] = [];
  const add = (node: ts.Node, pattern: Found["pattern"]) => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    const expression = pattern
      ? `/${pattern.source}/${[...pattern.flags].sort().join("")}`
      : node.getText().replace(/\s+/g, " ");
    found.push({ expression, place: `${path}:${line + 1}`, pattern });
  };
  const visit = (node: ts.Node, see: (node: ts.Node) => void): void => {
    see(node);
    ts.forEachChild(node, (child) => visit(child, see));
  };
  visit(file, (node) => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer)
      constants.set(node.name.text, node.initializer);
  });
  visit(file, (node) => {
    if (ts.isRegularExpressionLiteral(node)) add(node, literal(node));
    if ((ts.isNewExpression(node) || ts.isCallExpression(node)) && node.expression.getText() === "RegExp") {
      const [source, flags] = (node.arguments ?? []).map((one) => evaluate(one, constants));
      add(node, typeof source === "string" ? { source, flags: typeof flags === "string" ? flags : "" } : null);
    }
  });
  return found;
}

function literal(node: ts.RegularExpressionLiteral): { source: string; flags: string } {
  const end = node.text.lastIndexOf("/");
  return { source: node.text.slice(1, end), flags: node.text.slice(end + 1) };
}

/** The value of a constant expression: a string, or an array of strings; regular expressions count as their source. */
function evaluate(node: ts.Expression, constants: Map<string, ts.Expression>): string | string[] | null {
  const text = (one: ts.Expression): string | null => {
    const value = evaluate(one, constants);
    return typeof value === "string" ? value : null;
  };
  if (ts.isTaggedTemplateExpression(node) && node.tag.getText() === "String.raw") {
    const { template } = node;
    if (ts.isNoSubstitutionTemplateLiteral(template)) return template.rawText ?? null;
    const parts = template.templateSpans.map((span) => [text(span.expression), span.literal.rawText ?? ""]);
    return parts.some(([value]) => value === null) ? null : (template.head.rawText ?? "") + parts.flat().join("");
  }
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (ts.isRegularExpressionLiteral(node)) return literal(node).source;
  if (ts.isParenthesizedExpression(node)) return evaluate(node.expression, constants);
  if (ts.isIdentifier(node)) {
    const value = constants.get(node.text);
    return value ? evaluate(value, new Map([...constants].filter(([name]) => name !== node.text))) : null;
  }
  if (ts.isNewExpression(node) && node.expression.getText() === "RegExp")
    return node.arguments?.[0] ? text(node.arguments[0]) : null;
  if (ts.isPropertyAccessExpression(node) && node.name.text === "source") return text(node.expression);
  if (ts.isArrayLiteralExpression(node)) {
    const values = node.elements.map(text);
    return values.every((value) => value !== null) ? values : null;
  }
  if (ts.isTemplateExpression(node)) {
    const parts = node.templateSpans.map((span) => [text(span.expression), span.literal.text] as const);
    if (parts.some(([value]) => value === null)) return null;
    return node.head.text + parts.flat().join("");
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [text(node.left), text(node.right)];
    return left === null || right === null ? null : left + right;
  }
  if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    const list = evaluate(node.expression.expression, constants);
    if (!Array.isArray(list)) return null;
    // In `.map(({ source }) => source)` the elements are already sources.
    if (node.expression.name.text === "map") return /source/.test(node.arguments[0]?.getText() ?? "") ? list : null;
    if (node.expression.name.text !== "join") return null;
    const separator = node.arguments[0] ? text(node.arguments[0]) : ",";
    return separator === null ? null : list.join(separator);
  }
  return null;
}

async function allFound(): Promise<Found[]> {
  const found: Found[] = [];
  for (const pattern of sources)
    for (const path of [...new Glob(pattern).scanSync(project)].sort())
      if (!notAnalysed.test(path)) found.push(...regularExpressions(path, await Bun.file(join(project, path)).text()));
  return found;
}

/** "" if matching is linear, else the result of recheck. */
async function analysed({ source, flags }: { source: string; flags: string }): Promise<string> {
  // Use the analyser in JavaScript, which needs neither Java nor a native program.
  process.env.RECHECK_BACKEND = "pure";
  const { checkSync } = await import("recheck");
  const result = checkSync(source, flags, {
    timeout: ANALYSIS_MS,
    incubationTimeout: null,
    attackTimeout: null,
  });
  if (result.status === "safe") return "";
  if (result.status === "unknown") return `cannot be analysed (${result.error.kind})`;
  return `${result.complexity.summary}, for example on ${result.attack.pattern.slice(0, 200)}`;
}

/** Complaints, one per line; "" if every expression is safe or allowed. */
export async function checkRegularExpressions(write: boolean): Promise<string> {
  const file = Bun.file(verdictsFile);
  const known: Verdicts = (await file.exists()) ? await file.json() : { safe: [], allowed: {} };
  const safe = new Set(known.safe);
  const seen = new Set<string>();
  const complaints: string[] = [];
  for (const { expression, place, pattern } of await allFound()) {
    const isKnown = seen.has(expression) || safe.has(expression) || Object.hasOwn(known.allowed, expression);
    seen.add(expression);
    if (isKnown) continue;
    const trouble = pattern ? await analysed(pattern) : "is not made of constants";
    if (trouble === "") safe.add(expression);
    else complaints.push(`${place}: ${expression}\n  ${trouble}`);
  }
  if (write) {
    const used = Object.fromEntries(Object.entries(known.allowed).filter(([expression]) => seen.has(expression)));
    const verdicts: Verdicts = { safe: [...safe].filter((one) => seen.has(one)).sort(), allowed: used };
    await Bun.write(verdictsFile, `${JSON.stringify(verdicts, null, 2)}\n`);
  }
  if (complaints.length === 0) return "";
  return `${complaints.join("\n")}\nRewrite it without nested or adjacent repetition, or allow it with a reason in scripts/regexps.json.\n`;
}

if (import.meta.main) {
  const complaints = await checkRegularExpressions(process.argv.includes("--write"));
  process.stdout.write(complaints);
  process.exitCode = complaints ? 1 : 0;
}
