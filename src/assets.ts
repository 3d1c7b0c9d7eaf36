import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** Folders of the project that the binary carries; scripts/build.ts embeds each under its last name. */
export const assetFolders = ["migrations", "dist/web", "docs"] as const;

// Compiled, import.meta.dir is where the binary's own files are; else it is src/. A worker has another one: ask from the main thread.
const root = Bun.isStandaloneExecutable ? import.meta.dir : join(import.meta.dir, "..");

export type Dialect = "sqlite" | "postgres";

/** One step of the database's schema: the file `migrations/<dialect>/<number>_<name>.sql`. */
export interface Migration {
  /** From 1, without gaps. */
  readonly number: number;
  readonly name: string;
  readonly sql: string;
}

const migrationName = /^(\d{4})_([a-z0-9_]+)\.sql$/;

/** All migrations of a dialect, in order. Throws when a file is named otherwise, or a number is missing or taken twice. */
export function migrations(dialect: Dialect): Migration[] {
  const folder = join(root, "migrations", dialect);
  return readdirSync(folder)
    .sort()
    .map((file, index) => {
      const match = migrationName.exec(file);
      if (!match || Number(match[1]) !== index + 1)
        throw new Error(
          `migrations/${dialect}/${file}: expected ${String(index + 1).padStart(4, "0")}_<name>.sql here`,
        );
      return { number: index + 1, name: match[2]!, sql: readFileSync(join(folder, file), "utf8") };
    });
}

/** scripts/web.ts builds it here; from source it may not be there. */
const dashboard = join(root, Bun.isStandaloneExecutable ? "web" : "dist/web");

/** A static file of the dashboard. */
export interface DashboardFile {
  /** A lazily read Blob; a Response streams it. */
  readonly body: Blob;
  /** With charset where it is text. */
  readonly contentType: string;
  /** How the body is compressed, or null when it is not. */
  readonly encoding: "br" | "gzip" | null;
  /** The name carries a hash of the content, so a browser may keep it for ever. */
  readonly immutable: boolean;
}

/** `name-<8 or more characters of hash>.ext`, as bundlers name what they emit into assets/. */
const hashedName = /^assets\/.*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;

/** The compressed twins of a file, best first: its name with this added. */
const twins = { br: ".br", gzip: ".gz" } as const;

/**
 * The dashboard's file for a decoded URL path, or null. `/` is index.html. Only listed files are found, so no path leads
 * outside. `accepts` says which codings the client can undo.
 */
export function dashboardFile(path: string, accepts: (coding: string) => boolean = () => false): DashboardFile | null {
  const name = path.replace(/^\//, "") || "index.html";
  const listed = listDashboard();
  if (!listed.has(name) || Object.values(twins).some((end) => name.endsWith(end))) return null;
  const plain = Bun.file(join(dashboard, name));
  const encoding =
    (Object.keys(twins) as (keyof typeof twins)[]).find((one) => accepts(one) && listed.has(name + twins[one])) ?? null;
  return {
    body: encoding ? Bun.file(join(dashboard, name + twins[encoding])) : plain,
    contentType: plain.type,
    encoding,
    immutable: hashedName.test(name),
  };
}

/** The paths of all its files, with `/` between folders. Read again each time: from source it may be built meanwhile. */
function listDashboard(): Set<string> {
  if (!existsSync(dashboard)) return new Set();
  const files = readdirSync(dashboard, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Set(files.map((entry) => relative(dashboard, join(entry.parentPath, entry.name)).replaceAll("\\", "/")));
}

/** The pages of the documentation, as Markdown, by the names of their files without `.md`; in alphabetical order. */
export function docPages(): { name: string; markdown: string }[] {
  const folder = join(root, "docs");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".md"))
    .sort()
    .map((file) => ({ name: file.replace(/\.md$/, ""), markdown: readFileSync(join(folder, file), "utf8") }));
}

/** The license of e2a and those of the packages in it, as plain text. */
export function thirdPartyNotices(): Promise<string> {
  return Bun.file(join(root, "docs", "third-party-notices.txt")).text();
}
