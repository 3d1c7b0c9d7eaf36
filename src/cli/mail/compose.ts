/** The common part of `send`, `reply` and `forward`: a mail's content from flags, files and standard input. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { usageError } from "../connect/failure.ts";
import type { NewContent } from "../connect/shapes.ts";
import { type Io, readAll } from "../terminal/io.ts";
import { readAttachments } from "./attach.ts";

export interface ContentFlags {
  cc?: string[];
  bcc?: string[];
  body?: string;
  bodyFile?: string;
  htmlBody?: string;
  attach?: string[];
}

/** Adds the flags for the content of every mail. */
export function contentOptions(command: Command): Command {
  return command
    .addOption(addressOption("--cc <addresses>", "copies"))
    .addOption(addressOption("--bcc <addresses>", "hidden copies"))
    .addOption(new Option("--body <text>", 'the text; "-" reads standard input').conflicts("bodyFile"))
    .option("--body-file <file>", "the text from a file (UTF-8)")
    .option("--html-body <html>", "an HTML body beside the text; @file reads a file")
    .option("--attach <files...>", "files to attach, 25 MiB in all");
}

/** The flag of commands that send. */
export function waitOption(): Option {
  return new Option("--no-wait", "only queue it; `e2a outbox` shows its status");
}

/** Makes a flag that takes addresses, repeated or separated by commas. */
export function addressOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, before: string[] = []) => [
    ...before,
    ...addresses(value),
  ]);
}

/** Splits `a@x, "Doe, Jane" <b@y>` into two; a comma in quotes or angle brackets does not separate (RFC 5322 3.4). */
export function addresses(list: string): string[] {
  const parts = list.match(/(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,])+/g) ?? [];
  const found = parts.map((part) => part.trim()).filter(Boolean);
  if (found.length === 0) throw new InvalidArgumentError("Give an address such as bob@example.com.");
  return found;
}

/** Reads everything but the text. Files are read here, so a missing one is found before anything is sent. */
export async function readContent(flags: ContentFlags): Promise<NewContent> {
  const html = flags.htmlBody;
  return {
    ...(flags.cc ? { cc: flags.cc } : {}),
    ...(flags.bcc ? { bcc: flags.bcc } : {}),
    ...(html === undefined ? {} : { html_body: html.startsWith("@") ? await readText(html.slice(1)) : html }),
    ...(flags.attach ? { attachments: await readAttachments(flags.attach) } : {}),
  };
}

/** The text given by --body or --body-file; undefined if neither is given. */
export async function givenBody(io: Io, flags: ContentFlags): Promise<string | undefined> {
  if (flags.bodyFile !== undefined) return readText(flags.bodyFile);
  return flags.body === "-" ? readAll(io.stdin) : flags.body;
}

/** The text of a mail that needs one: as given, or else from the pipe. With an HTML body it may be empty. */
export async function neededBody(io: Io, flags: ContentFlags): Promise<string> {
  const given = await givenBody(io, flags);
  if (given !== undefined) return given;
  const piped = io.stdin.isTTY ? "" : await readAll(io.stdin);
  if (piped !== "" || flags.htmlBody !== undefined) return piped;
  throw usageError("The email has no text.", "Add --body TEXT or --body-file FILE, or pipe the text into the command.");
}

async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await Bun.file(path).bytes());
  } catch (error) {
    const wrong = error instanceof TypeError ? "it is not UTF-8 text" : (error as Error).message;
    throw usageError(`${path} cannot be read: ${wrong}.`);
  }
}
