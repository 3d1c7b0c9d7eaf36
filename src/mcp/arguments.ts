import type { TObject, TSchema } from "@sinclair/typebox";
import { Value, type ValueError, ValueErrorType } from "@sinclair/typebox/value";
import type { FieldError } from "../util/errors.ts";
import { unknownSentence } from "../util/unknown-name.ts";
import { ToolFailure } from "./failure.ts";
import { expects } from "./tool.ts";

/** Wrong arguments named in one answer. */
const ERRORS_MAX = 20;

/**
 * Reads the arguments of a call by its tool's schema. It tolerates common mistakes of models: null means "not given",
 * "20" is 20, and one address is a list of one. Throws ToolFailure, which names every wrong argument and the known
 * ones.
 */
export function readArguments(input: TObject, given: Record<string, unknown> = {}): Record<string, unknown> {
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null && value !== undefined));
  const converted = Value.Convert(input, known) as Record<string, unknown>;
  const errors = new Map<string, FieldError>();
  for (const error of Value.Errors(input, converted)) {
    const field = error.path.slice(1).replaceAll("/", ".").slice(0, 100);
    if (!errors.has(field)) errors.set(field, { field, message: sentence(error, input) });
    if (errors.size >= ERRORS_MAX) break;
  }
  if (errors.size === 0) return converted;
  throw new ToolFailure("The arguments are invalid.", {
    code: "invalid_arguments",
    errors: [...errors.values()],
    fix: "Correct them and call the tool again.",
  });
}

function sentence({ type, schema, path }: ValueError, input: TObject): string {
  if (type === ValueErrorType.ObjectRequiredProperty) return "is required";
  if (type === ValueErrorType.ObjectAdditionalProperties) {
    const known = Object.keys((schema as TObject).properties ?? input.properties);
    return unknownSentence(path.slice(path.lastIndexOf("/") + 1), known);
  }
  const says = (schema as TSchema & { [expects]?: string })[expects];
  if (says) return `must be ${says}`;
  const { minLength, maxLength, maxItems } = schema as { minLength?: number; maxLength?: number; maxItems?: number };
  if (maxItems !== undefined) return `must be a list of at most ${maxItems} entries`;
  if (schema.type === "string" && maxLength !== undefined)
    return `must be text of ${minLength ?? 0} to ${maxLength} characters`;
  return schema.type === undefined ? "is not valid" : `must be of type ${schema.type}`;
}
