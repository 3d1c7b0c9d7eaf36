import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** Folders of the project that the binary contains; scripts/build.ts embeds each under its base name. */
export const assetFolders = ["migrations", "dist/web", "docs"] as const;

// In the binary, import.meta.dir is the root of the embedded files; otherwise src/. Use it only on the main thread.
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

/** All migrations of a dialect, in order. Throws if a name is malformed, or a number is missing or used twice. */
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

/** scripts/web.ts writes it here. When running from source it may not exist. */
const dashboard = join(root, Bun.isStandaloneExecutable ? "web" : "dist/web");

/** A static file of the dashboard. */
export interface DashboardFile {
  /** A lazily read Blob; a Response streams it. */
  readonly body: Blob;
  /** Includes the charset of text. */
  readonly contentType: string;
  /** How the body is compressed; null: it is not. */
  readonly encoding: "br" | "gzip" | null;
  /** The name contains a hash of the content, so a browser may cache it forever. */
  readonly immutable: boolean;
}

/** `name-<8 or more characters of hash>.ext`, as bundlers name what they emit into assets/. */
const hashedName = /^assets\/.*-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;

/** The suffixes of a file's compressed copies, best first. */
const twins = { br: ".br", gzip: ".gz" } as const;

/**
 * The dashboard's file for a decoded URL path, or null. `/` is index.html. Finds only listed files, so a path cannot
 * escape the folder. `accepts` says which content codings the client accepts.
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

/** The paths of all its files, separated by `/`. Not cached: when running from source, a build may change them. */
function listDashboard(): Set<string> {
  if (!existsSync(dashboard)) return new Set();
  const files = readdirSync(dashboard, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Set(files.map((entry) => relative(dashboard, join(entry.parentPath, entry.name)).replaceAll("\\", "/")));
}

/** The documentation's pages as Markdown, named like their files without `.md`, in alphabetical order. */
export function docPages(): { name: string; markdown: string }[] {
  const folder = join(root, "docs");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".md"))
    .sort()
    .map((file) => ({ name: file.replace(/\.md$/, ""), markdown: readFileSync(join(folder, file), "utf8") }));
}

/** The licenses of e2a and of the packages that it contains, as plain text. */
export function thirdPartyNotices(): Promise<string> {
  return Bun.file(join(root, "docs", "third-party-notices.txt")).text();
}
