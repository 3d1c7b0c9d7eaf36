import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Folders of the project that the binary carries; scripts/build.ts embeds them under the same names. */
export const assetFolders = ["migrations", "web", "docs"] as const;

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

/** A static file of the dashboard. */
export interface DashboardFile {
  /** A lazily read Blob; a Response streams it. */
  readonly body: Blob;
  /** With charset where it is text. */
  readonly contentType: string;
  /** The name carries a hash of the content, so a browser may keep it for ever. */
  readonly immutable: boolean;
}

/** `name-<8 or more characters of hash>.ext`, as bundlers name what they emit into assets/. */
const hashedName = /^assets\/.*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;

/**
 * The dashboard's file for a decoded URL path, or null. `/` is index.html. Only listed files are found, so no path leads outside.
 */
export function dashboardFile(path: string): DashboardFile | null {
  const name = path.replace(/^\//, "") || "index.html";
  const folder = join(root, "web");
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).some(
    (entry) => entry.isFile() && join(entry.parentPath, entry.name) === join(folder, name),
  );
  if (!found) return null;
  const body = Bun.file(join(folder, name));
  return { body, contentType: body.type, immutable: hashedName.test(name) };
}

/** The pages of the documentation, as Markdown, by the names of their files without `.md`; in alphabetical order. */
export function docPages(): { name: string; markdown: string }[] {
  const folder = join(root, "docs");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".md"))
    .sort()
    .map((file) => ({ name: file.replace(/\.md$/, ""), markdown: readFileSync(join(folder, file), "utf8") }));
}
