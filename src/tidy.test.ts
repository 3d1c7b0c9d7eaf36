import { expect, test } from "bun:test";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

/**
 * The rooms of src/ that a room may import from, besides itself. A room is a folder of src/, with all its subfolders,
 * or a file directly in src/. "*" is all of src/; "sdk" is the public API of the SDK in sdks/typescript.
 */
const arrows: Record<string, string[]> = {
  util: [],
  wire: [],
  mail: [],
  "reserved-names": [],
  net: ["util"],
  config: ["util"],
  vault: ["util"],
  assets: ["store"],
  "return-path": [],
  verdict: ["mail"],
  message: ["util", "net", "mail", "reserved-names"],
  store: ["util", "wire", "mail"],
  health: ["util", "config", "store"],
  "master-key": ["util", "store", "vault"],
  accounts: ["util", "store", "vault"],
  inbound: ["util", "net", "mail", "message", "return-path", "store"],
  approval: ["util", "mail", "message", "store"],
  outbound: ["util", "net", "mail", "approval", "config", "inbound", "message", "return-path", "store", "vault"],
  domains: ["util", "net", "outbound", "store"],
  mcp: ["util", "wire", "mail", "message", "sdk", "verdict"],
  notify: ["util", "net", "wire", "mail", "store", "vault"],
  http: [
    ...[
      "util",
      "net",
      "wire",
      "mail",
      "accounts",
      "approval",
      "assets",
      "config",
      "domains",
      "mcp",
      "message",
      "notify",
    ],
    ...["outbound", "reserved-names", "store", "vault"],
  ],
  workers: ["util", "net"],
  tasks: [
    ...[
      "util",
      "net",
      "mail",
      "approval",
      "http",
      "inbound",
      "mcp",
      "message",
      "outbound",
      "return-path",
      "store",
      "workers",
    ],
  ],
  app: ["*"],
  cli: ["*", "sdk"],
  main: ["cli", "tasks"],
};

const sdk = "sdks/typescript/src/index.ts";

/** The files that may import each library. A folder ends in a slash. */
const doors: Record<string, string[]> = {
  "@clack/prompts": ["cli/terminal/prompts.ts"],
  "@modelcontextprotocol/server": ["mcp/"],
  "@sinclair/typebox": ["cli/connect/", "config.ts", "http/", "mcp/", "wire/"],
  "bun:ffi": ["store/engine/inode-lock.ts", "workers/serve.ts"],
  "bun:sqlite": ["store/engine/"],
  commander: ["cli/"],
  "css-tree": ["message/html/css.ts", "message/html/css-tree.d.ts"],
  "dns-packet": ["net/dns.ts", "net/dns-socket.ts"],
  "drizzle-orm": ["store/"],
  elysia: ["http/framework/", "http/server.ts"],
  htmlparser2: ["message/html/"],
  "iconv-lite": ["message/mime/charset.ts"],
  "ipaddr.js": ["net/client-address.ts", "config/", "notify/address-guard.ts"],
  jschardet: ["message/mime/charset.ts"],
  libmime: ["message/"],
  mailauth: ["inbound/authenticate.ts", "inbound/dkim-verify.ts", "inbound/mailauth.d.ts"],
  mailparser: ["message/read.ts"],
  nodemailer: ["message/compose.ts", "outbound/"],
  "openid-client": ["http/sign-in/oidc-client.ts"],
  pg: ["store/engine/postgres.ts"],
  selfsigned: ["net/tls.ts"],
  "smtp-server": ["inbound/smtp.ts"],
  tldts: ["net/host-name.ts", "http/resources/account/domains.ts", "message/html/"],
  yaml: ["config.ts", "config/layers.ts"],
};

/** The files of src/ that the dashboard imports, besides types: names and rules that server and browser must share. */
const sharedWithDashboard = [
  "src/mail.ts",
  "src/util/line-diff.ts",
  "src/message/calendar/words.ts",
  "src/message/html/from-text.ts",
  "src/message/text/visible.ts",
  "src/wire/event-types.ts",
];

const project = join(import.meta.dir, "..");

interface Import {
  /** Paths below the project. */
  file: string;
  /** A file of the project, or the name of a library. */
  target: string;
  isType: boolean;
}

async function importsIn(pattern: string): Promise<Import[]> {
  const found: Import[] = [];
  for await (const file of new Glob(pattern).scan(project)) {
    if (file.endsWith(".test.ts") || file.startsWith("src/cli/testing/")) continue;
    const text = await Bun.file(join(project, file)).text();
    const statements =
      /^(?:import|export)(\s+type\b)?\s[^;"'`]*?\bfrom\s+"([^"\n]+)"|^import\s+"([^"\n]+)"|\bimport\(\s*"([^"\n]+)"/gm;
    for (const [, type, from, alone, late] of text.matchAll(statements)) {
      const target = from ?? alone ?? late ?? "";
      const path = target.startsWith(".") ? normalize(join(dirname(file), target)) : target;
      found.push({ file, target: path, isType: type !== undefined });
    }
  }
  return found;
}

const below = (file: string) => file.replace(/^src\//, "");
const roomOf = (file: string) => below(file).split("/")[0]?.replace(/\.ts$/, "") ?? "";

test("arrows between rooms go one way", async () => {
  const wrong: string[] = [];
  for (const { file, target } of await importsIn("src/**/*.ts")) {
    if (!/^(?:src|sdks)\//.test(target)) continue;
    const [from, to] = [roomOf(file), target === sdk ? "sdk" : roomOf(target)];
    const allowed = arrows[from];
    if (!allowed) wrong.push(`${file}: the room "${from}" is not in the table`);
    else if (from !== to && !allowed.includes(to) && !(allowed.includes("*") && target.startsWith("src/")))
      wrong.push(`${file} → ${target}`);
  }
  expect(wrong).toEqual([]);
});

test("what runs on the thread that serves sockets leaves the texts of mail to child processes", async () => {
  const wrong: string[] = [];
  for (const { file, target, isType } of await importsIn("src/{http,outbound,notify}/**/*.ts"))
    if (!isType && /^src\/message\/(?:html\/|quote\.ts$)/.test(target)) wrong.push(`${file} → ${target}`);
  expect(wrong).toEqual([]);
});

test("no file imports itself by way of others", async () => {
  const targets = new Map<string, string[]>();
  for (const { file, target } of await importsIn("src/**/*.ts"))
    targets.set(file, [...(targets.get(file) ?? []), ...(target.startsWith("src/") ? [target] : [])]);
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]) => {
    const begin = path.indexOf(file);
    if (begin >= 0) circles.push([...path.slice(begin), file].join(" → "));
    if (begin >= 0 || done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  expect(circles).toEqual([]);
});

test("each library comes in by its own door", async () => {
  const wrong: string[] = [];
  for (const { file, target } of await importsIn("src/**/*.ts")) {
    if (/^(?:src|sdks)\/|^(?:node:|bun$)|^package\.json$/.test(target)) continue;
    const library = Object.keys(doors).find((name) => target === name || target.startsWith(`${name}/`));
    if (!library) wrong.push(`${file} imports ${target}, which has no door`);
    else if (
      !doors[library]?.some((door) => (door.endsWith("/") ? below(file).startsWith(door) : below(file) === door))
    )
      wrong.push(`${file} imports ${target}`);
  }
  expect(wrong).toEqual([]);
});

test("the dashboard shares few files with the server", async () => {
  const wrong: string[] = [];
  for (const { file, target } of await importsIn("web/src/**/*.{ts,tsx}"))
    if (target.startsWith("src/") && !sharedWithDashboard.includes(target)) wrong.push(`${file} → ${target}`);
  expect(wrong).toEqual([]);
});

test("the environment is read in config.ts and main.ts only, and nothing prints past the log", async () => {
  const wrong: string[] = [];
  for await (const file of new Glob("src/**/*.ts").scan(project)) {
    if (file.endsWith(".test.ts")) continue;
    const text = await Bun.file(join(project, file)).text();
    if (/process\.env|Bun\.env/.test(text) && !["src/config.ts", "src/main.ts"].includes(file))
      wrong.push(`${file}: environment`);
    if (/console\.\w+\(/.test(text)) wrong.push(`${file}: console`);
  }
  expect(wrong).toEqual([]);
});

/** Files that compare the time of day with a stored one, or say when something will happen. */
const compareTimesOfDay = [
  "src/app.ts",
  "src/http/framework/identity.ts",
  "src/http/framework/limits.ts",
  "src/http/resources/account/keys.ts",
  "src/http/server.ts",
  "src/http/sign-in/oidc-flow.ts",
  "src/net/tls.ts",
  "src/notify/live-socket.ts",
  "src/notify/rate-limit.ts",
  "src/notify/slots.ts",
  "src/notify/webhook.ts",
  "src/outbound/outage.ts",
  "src/outbound/send.ts",
  "src/util/clock.ts",
  "src/util/work.ts",
];

test("durations are measured with a clock that does not step back (`elapsed`)", async () => {
  const wrong: string[] = [];
  for await (const file of new Glob("src/**/*.ts").scan(project)) {
    if (/\.test\.ts$|^src\/cli\/(?:review|mail|terminal)\//.test(file) || compareTimesOfDay.includes(file)) continue;
    const text = await Bun.file(join(project, file)).text();
    for (const [code] of text.matchAll(
      /.*(?:[cC]lock|Date)\.now\(\) *(?:[-<>+*]|\? )|.*[-<>+]=? *[\w.]*(?:[cC]lock|Date)\.now\(\).*/g,
    ))
      if (!/new Date\(/.test(code)) wrong.push(`${file}: ${code.trim()}`);
  }
  expect(wrong).toEqual([]);
});

test("a number that is fixed has a name in capitals", async () => {
  const wrong: string[] = [];
  for (const root of ["src", "web/src", "sdks/typescript/src", "scripts"])
    for await (const file of new Glob(`${root}/**/*.{ts,tsx}`).scan(project)) {
      if (/\.test\.tsx?$/.test(file)) continue;
      const text = await Bun.file(join(project, file)).text();
      for (const [, name] of text.matchAll(
        /^(?:export )?const ([a-z]\w*)(?:: number)? = -?[\d_.]+(?:[ *+\d_.]|\w+_\w+)*;/gm,
      ))
        wrong.push(`${file}: ${name}`);
    }
  expect(wrong).toEqual([]);
});
