import { expect, test } from "bun:test";
import { Glob } from "bun";

/** Which rooms of src/ a room may import from, beside itself. Files directly in src/ are rooms of their own. */
const arrows: Record<string, string[]> = {
  mail: [],
  events: ["mail"],
  errors: [],
  id: [],
  log: [],
  clock: [],
  concat: [],
  "unknown-name": [],
  config: ["unknown-name"],
  "ttl-cache": ["clock"],
  "dns-socket": ["clock"],
  dns: ["clock", "ttl-cache", "dns-socket"],
  vault: ["errors", "log"],
  tls: ["log"],
  assets: ["store"],
  version: [],
  "return-path": [],
  "approval-token": [],
  html: [],
  "host-name": [],
  "line-diff": [],
  "text-html": [],
  "reserved-names": [],
  work: ["clock", "log"],
  store: ["mail", "events", "errors", "id", "log"],
  "master-key": ["store", "vault", "errors"],
  accounts: ["store", "vault", "id", "errors", "mail"],
  inbound: [
    ...["host-name", "store", "return-path", "dns", "tls", "mail", "errors", "id", "log", "clock", "ttl-cache"],
    "concat",
  ],
  domains: ["store", "dns", "outbound", "work", "clock", "log"],
  outbound: [
    ...["config", "host-name", "store", "inbound", "return-path", "approval-token", "html", "vault", "work", "dns"],
    ...["mail", "errors", "id", "log", "clock", "reserved-names", "concat"],
  ],
  verdict: ["mail"],
  mcp: ["inbound", "outbound", "verdict", "version", "mail", "errors", "unknown-name"],
  notify: ["store", "events", "vault", "work", "dns", "mail", "errors", "id", "log", "clock"],
  http: [
    ...[
      "accounts",
      "assets",
      "events",
      "domains",
      "config",
      "store",
      "notify",
      "inbound",
      "mcp",
      "outbound",
      "dns",
      "vault",
      "version",
      "return-path",
      "approval-token",
      "html",
      "text-html",
    ],
    ...["mail", "errors", "id", "log", "clock", "unknown-name", "reserved-names"],
  ],
  workers: ["dns", "errors", "log"],
  tasks: ["workers", "inbound", "outbound", "http", "mcp", "store", "clock", "dns", "mail", "errors", "log"],
  app: ["*"],
  cli: ["*"],
  main: ["cli", "tasks"],
};

/** One library, one door: who may import it. */
const doors: Record<string, string[]> = {
  "smtp-server": ["inbound/smtp.ts"],
  mailauth: ["inbound/authenticate.ts", "inbound/dkim-verify.ts", "inbound/mailauth.d.ts"],
  mailparser: ["inbound/read.ts"],
  htmlparser2: ["outbound/", "http/safe-html.ts", "inbound/seen-html.ts", "inbound/html-text.ts"],
  "css-tree": ["inbound/css.ts", "inbound/css-tree.d.ts"],
  nodemailer: ["outbound/"],
  elysia: ["http/"],
  commander: ["cli/"],
  "@clack/prompts": ["cli/"],
  "drizzle-orm": ["store/"],
  "bun:sqlite": ["store/"],
  "openid-client": ["http/oidc.ts"],
  "@modelcontextprotocol/server": ["mcp/"],
  pg: ["store/"],
  "dns-packet": ["dns.ts", "dns-socket.ts"],
  selfsigned: ["tls.ts"],
};

interface Import {
  file: string;
  target: string;
}

async function imports(): Promise<Import[]> {
  const found: Import[] = [];
  for await (const file of new Glob("**/*.ts").scan(`${import.meta.dir}`)) {
    if (file.startsWith("testing/") || file.endsWith(".test.ts")) continue;
    const text = await Bun.file(`${import.meta.dir}/${file}`).text();
    for (const match of text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g))
      found.push({ file, target: match[1] as string });
  }
  return found;
}

const roomOf = (file: string) => (file.includes("/") ? (file.split("/")[0] as string) : file.replace(/\.ts$/, ""));

test("arrows between rooms go one way", async () => {
  const wrong: string[] = [];
  for (const { file, target } of await imports()) {
    if (!target.startsWith(".")) continue;
    const path = new URL(target, `file:///src/${file}`).pathname;
    if (!path.startsWith("/src/")) continue;
    const [from, to] = [roomOf(file), roomOf(path.slice("/src/".length))];
    const allowed = arrows[from];
    if (!allowed) wrong.push(`${file}: the room "${from}" is not in the table`);
    else if (from !== to && !allowed.includes("*") && !allowed.includes(to)) wrong.push(`${file} → ${target}`);
  }
  expect(wrong).toEqual([]);
});

test("each library comes in by its own door", async () => {
  const wrong: string[] = [];
  for (const { file, target } of await imports())
    for (const [library, allowed] of Object.entries(doors))
      if ((target === library || target.startsWith(`${library}/`)) && !allowed.some((door) => file.startsWith(door)))
        wrong.push(`${file} imports ${target}`);
  expect(wrong).toEqual([]);
});

test("the environment is read in config.ts and main.ts only, and nothing prints past the log", async () => {
  const wrong: string[] = [];
  for await (const file of new Glob("**/*.ts").scan(import.meta.dir)) {
    if (file.startsWith("testing/") || file.endsWith(".test.ts")) continue;
    const text = await Bun.file(`${import.meta.dir}/${file}`).text();
    if (/process\.env|Bun\.env/.test(text) && !["config.ts", "main.ts"].includes(file))
      wrong.push(`${file}: environment`);
    if (/console\.\w+\(/.test(text)) wrong.push(`${file}: console`);
  }
  expect(wrong).toEqual([]);
});
