import { createHash, createPrivateKey, sign } from "node:crypto";
import { scanHeaders } from "../../src/message/headers.ts";

/**
 * Puts a DKIM-Signature with the given tags on top of a message with CRLF line ends; `bh=` and `b=` are added. Written
 * after RFC 6376 3.4 and 3.7 alone, so that the verifier is not compared with itself.
 */
export function signWithTags(raw: string, tags: string, privateKey: string): string {
  const tag = (name: string) => new RegExp(`(?:^|;)\\s*${name}\\s*=([^;]*)`).exec(tags)?.[1]?.trim() ?? "";
  const [header = "simple", body = "simple"] = (tag("c") || "simple/simple").split("/");
  const algorithm = tag("a").endsWith("sha1") ? "sha1" : "sha256";
  const bytes = canonicalBody(raw.slice(raw.indexOf("\r\n\r\n") + 4), body);
  const length = tag("l") === "" ? bytes.length : Number(tag("l"));
  const bh = createHash(algorithm).update(bytes.slice(0, length), "latin1").digest("base64");
  const field = `DKIM-Signature: ${tags}; bh=${bh}; b=`;
  const lines = signedLines(raw, tag("h").split(":"));
  const text = [...lines, field].map((line) => canonicalField(line, header)).join("\r\n");
  const key = createPrivateKey(privateKey);
  const isEd25519 = key.asymmetricKeyType === "ed25519";
  const data = isEd25519 ? createHash("sha256").update(text, "latin1").digest() : Buffer.from(text, "latin1");
  const b = sign(isEd25519 ? null : algorithm, data, key).toString("base64");
  return `${field}${b}\r\n${raw}`;
}

/** The fields that h= names, the last of a name first; one that is missing adds nothing. */
function signedLines(raw: string, names: string[]): string[] {
  const { fields } = scanHeaders(Buffer.from(raw, "latin1"));
  return names.flatMap((name) => {
    const at = fields.findLastIndex(({ key }) => key === name.trim().toLowerCase());
    const [field] = at < 0 ? [] : fields.splice(at, 1);
    return field ? [raw.slice(field.start, field.end - 2)] : [];
  });
}

function canonicalField(line: string, how: string): string {
  if (how === "simple") return line;
  const colon = line.indexOf(":");
  const value = line
    .slice(colon + 1)
    .replace(/\r\n/g, "")
    .replace(/[ \t]+/g, " ")
    .trim();
  return `${line.slice(0, colon).trim().toLowerCase()}:${value}`;
}

function canonicalBody(body: string, how: string): string {
  const lines = body.split("\r\n");
  const changed = how === "simple" ? lines : lines.map((line) => line.replace(/[ \t]+/g, " ").replace(/ $/, ""));
  while (changed.at(-1) === "") changed.pop();
  if (changed.length === 0) return how === "simple" ? "\r\n" : "";
  return `${changed.join("\r\n")}\r\n`;
}
