/** `e2a completion`: scripts with which a shell completes commands and flags, generated from the command tree. */
import { Argument, Command } from "commander";
import { example } from "../terminal/help.ts";
import { type Io, write } from "../terminal/io.ts";

const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export function completionCommand(io: Io): Command {
  const command = new Command("completion")
    .summary("print a completion script for your shell")
    .description("Prints a script to be sourced by bash, zsh or fish.")
    .addArgument(new Argument("<shell>", "which shell").choices(shells))
    .action((shell: Shell, _flags: unknown, command: Command) =>
      write(io.stdout, completionScript(command.parent ?? command, shell)),
    );
  return example(command, [
    "source <(e2a completion bash)",
    "source <(e2a completion zsh)",
    "e2a completion fish > ~/.config/fish/completions/e2a.fish",
  ]);
}

interface Word {
  word: string;
  about: string;
}

/** The words that can follow a command path such as "agents list". */
interface Place {
  path: string;
  commands: Word[];
  flags: Word[];
}

/** The script for one shell. Names are our own, without special shell characters; descriptions are quoted. */
function completionScript(program: Command, shell: Shell): string {
  const places = walk(program, "", globalFlags(program));
  return { bash, zsh, fish }[shell](program.name(), places);
}

function walk(command: Command, path: string, inherited: Word[]): Place[] {
  const own = command.options.filter((option) => !option.hidden && option.long);
  const flags = own.map((option) => ({ word: option.long ?? "", about: option.description }));
  const help: Word = { word: "--help", about: "show help" };
  const commands = command.commands.map((child) => ({ word: child.name(), about: child.summary() }));
  const here = { path, commands, flags: [...(path === "" ? [] : flags), ...inherited, help] };
  const below = command.commands.flatMap((child) => walk(child, `${path} ${child.name()}`.trim(), inherited));
  return [here, ...below];
}

function globalFlags(program: Command): Word[] {
  return program.options.map((option) => ({ word: option.long ?? "", about: option.description }));
}

const words = (list: Word[]) => list.map(({ word }) => word).join(" ");
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** The path is made of the words before the cursor that are not flags, as far as they name commands. */
function bash(name: string, places: Place[]): string {
  const cases = places.map(
    ({ path, commands, flags }) =>
      `    ${quote(path)}) commands=${quote(words(commands))}; flags=${quote(words(flags))} ;;`,
  );
  return `# bash completion for ${name}
_${name}_place() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path="" word commands flags
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] && continue
    _${name}_place "\${path:+$path }$word" && path="\${path:+$path }$word"
  done
  _${name}_place "$path"
  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$current"))
  else COMPREPLY=($(compgen -W "$commands" -- "$current")); fi
}
complete -o default -F _${name} ${name}
`;
}

function zsh(name: string, places: Place[]): string {
  const entry = ({ word, about }: Word) => quote(`${word}:${about.replaceAll(":", "\\:")}`);
  const cases = places.map(
    ({ path, commands, flags }) =>
      `    ${quote(path)}) commands=(${commands.map(entry).join(" ")}); flags=(${flags.map(entry).join(" ")}) ;;`,
  );
  return `#compdef ${name}
_${name}_place() {
  case "$1" in
${cases.join("\n")}
    *) return 1 ;;
  esac
}
_${name}() {
  local here="" word
  local -a commands flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -* ]] && continue
    _${name}_place "\${here:+$here }$word" && here="\${here:+$here }$word"
  done
  _${name}_place "$here"
  if [[ \${words[CURRENT]} == -* ]]; then _describe -o flag flags
  elif (( \${#commands} )); then _describe command commands
  else _files; fi
}
if [[ \${funcstack[1]} == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fish(name: string, places: Place[]): string {
  const paths = places.map(({ path }) => quote(path)).join(" ");
  const line = (path: string, what: string, about: string) =>
    `complete -c ${name} -n ${quote(`_${name}_at ${quote(path)}`)} ${what} -d ${quote(about)}`;
  const lines = places.flatMap(({ path, commands, flags }) => [
    ...commands.map(({ word, about }) => line(path, `-f -a ${word}`, about)),
    ...flags.map(({ word, about }) => line(path, `-l ${word.replace(/^--/, "")}`, about)),
  ]);
  return `# fish completion for ${name}
function _${name}_at
  set -l places ${paths}
  set -l here ''
  for word in (commandline -opc)[2..]
    string match -q -- '-*' $word; and continue
    set -l next (string trim -- "$here $word")
    contains -- $next $places; and set here $next
  end
  test "$here" = "$argv[1]"
end
${lines.join("\n")}
`;
}
