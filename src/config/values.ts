/**
 * The kinds of configuration values, as text and as values. Flags, environment variables and YAML scalars share only
 * text, so every kind reads and prints text.
 */
import { domainToASCII } from "node:url";
import ipaddr from "ipaddr.js";

export interface Kind<T> {
  /** Completes the sentence `"x" is not …`. */
  readonly expects: string;
  /** Undefined if the text is not of this kind. */
  parse(text: string): T | undefined;
  print(value: T): string;
  /** For a list that does not parse: the number of the first wrong entry, counted from 1; 0 if none is wrong. */
  wrongEntry?(text: string): number;
}

export interface ListenAddress {
  /** A host name, or an IP address without brackets; "" is every interface, IPv4 and IPv6. */
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
}

/** After loading, `path` is absolute or ":memory:". */
export type Database =
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "postgres"; readonly url: string };

export const line: Kind<string> = {
  expects: "a line of text without control characters",
  parse: (text) => (/[\x00-\x1f\x7f]/.test(text) ? undefined : text),
  print: String,
};

/** This many hexadecimal digits, the alphabet with the fewest bits per character, have 128 bits. */
const SECRET_LENGTH_MIN = 32;

export const longSecret: Kind<string> = {
  expects: `a line of at least ${SECRET_LENGTH_MIN} characters, such as "openssl rand -hex 32" prints`,
  parse: (text) => (text.length >= SECRET_LENGTH_MIN ? line.parse(text) : undefined),
  print: String,
};

/** An AES-256 key, stored as 64 lower-case hexadecimal digits. */
export const encryptionKey: Kind<string> = {
  expects: '32 bytes as 64 hexadecimal digits or as base64, such as "openssl rand -hex 32" prints',
  parse: (text) => {
    if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
    return /^[\w+/-]{43}=?$/.test(text) ? Buffer.from(text, "base64").toString("hex") : undefined;
  },
  print: String,
};

export function choice<T extends string>(...values: T[]): Kind<T> {
  return {
    expects: `one of ${values.join(", ")}`,
    parse: (text) => values.find((value) => value === text),
    print: String,
  };
}

export function count(min: number, max: number): Kind<number> {
  return {
    expects: `a whole number from ${min} to ${max}`,
    parse: (text) => (/^\d{1,15}$/.test(text) ? within(Number(text), min, max) : undefined),
    print: String,
  };
}

const durationUnits = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** A duration in milliseconds: `500ms`, `30s`, `5m`, `2h`, `7d`; a bare `0` if the range includes it. */
export function duration(min: string, max: string): Kind<number> {
  const read = (text: string) => (text === "0" ? 0 : readUnit(text, durationUnits));
  return {
    expects: `a duration from ${min} to ${max}, such as 500ms, 30s, 5m, 2h or 7d`,
    parse: (text) => within(read(text), read(min), read(max)),
    print: (ms) => printUnit(ms, durationUnits),
  };
}

const sizeUnits = { GiB: 2 ** 30, GB: 1e9, MiB: 2 ** 20, MB: 1e6, KiB: 2 ** 10, KB: 1e3 };

/** A size in bytes: `25MiB`, `10MB` or a number of bytes. */
export function size(min: string, max: string): Kind<number> {
  const read = (text: string) => readUnit(text, { ...sizeUnits, "": 1 });
  return {
    expects: `a size from ${min} to ${max}, such as 25MiB, 10MB or a number of bytes`,
    parse: (text) => within(read(text), read(min), read(max)),
    print: (bytes) => printUnit(bytes, sizeUnits),
  };
}

/** A DNS name in its ASCII form (RFC 5890 A-labels), lower-case, without the final dot. */
export const domainName: Kind<string> = {
  expects: "a domain name such as agents.example.com",
  parse: (text) => {
    const ascii = domainToASCII(text.replace(/\.$/, ""));
    const labels = ascii.split(".");
    const valid = labels.every((label) => /^(?!-)[a-z0-9-]{1,63}(?<!-)$/.test(label));
    return valid && ascii.length <= 253 && !/^\d+$/.test(labels.at(-1) ?? "") ? ascii : undefined;
  },
  print: String,
};

export const host: Kind<string> = {
  expects: "a host name or an address, without a port",
  parse: (text) => (isIPv4(text) || isIPv6(text) ? text : domainName.parse(text)),
  print: String,
};

export const listenAddress: Kind<ListenAddress> = {
  expects: "host:port, or :port for every interface, such as 127.0.0.1:2525, [::1]:2525 or :2525",
  parse: (text) => {
    const [, bracketed, plain = "", port] = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
    if (port === undefined || Number(port) > 65_535) return undefined;
    if (bracketed !== undefined) return isIPv6(bracketed) ? { host: bracketed, port: Number(port) } : undefined;
    return plain === "" || host.parse(plain) !== undefined ? { host: plain, port: Number(port) } : undefined;
  },
  print: ({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`,
};

export const listenAddressOrOff: Kind<ListenAddress | null> = {
  expects: `off or ${listenAddress.expects}`,
  parse: (text) => (text === "off" ? null : listenAddress.parse(text)),
  print: (value) => (value ? listenAddress.print(value) : "off"),
};

/** An http(s) URL without trailing slash, query and fragment, so that a path can be appended. */
export const httpUrl: Kind<string> = {
  expects: "an http:// or https:// address without query or password, such as https://mail.example.com",
  parse: (text) => {
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || /[?#\s]/.test(text))
      return undefined;
    return url.href.replace(/\/+$/, "");
  },
  print: String,
};

/** An OpenID issuer, kept as written: whether it ends in a slash matters (OpenID Connect Discovery 1.0 4.3). */
export const issuer: Kind<string> = {
  expects: "an http:// or https:// address without query or password, such as https://login.example.com/realms/main",
  parse: (text) => (httpUrl.parse(text) === undefined ? undefined : text),
  print: String,
};

/** Whole email addresses, lower-cased. */
export const emails = listOf("email addresses such as ann@example.com", (text) =>
  /^[^\s@<>";:\\]{1,64}@[^\s@]+$/.test(text) && domainName.parse(text.slice(text.lastIndexOf("@") + 1)) !== undefined
    ? text.toLowerCase()
    : undefined,
);

export const domainNames = listOf("domain names such as example.com", domainName.parse);

/** Networks in CIDR notation; a lone address becomes a network with one address. */
export const networks = listOf("networks such as 10.0.0.0/8, fd00::/8 or 192.0.2.7", (text) => {
  const [address = ""] = text.split("/");
  if (!isIPv4(address) && !isIPv6(address)) return undefined;
  const network = text.includes("/") ? text : `${text}/${isIPv4(text) ? 32 : 128}`;
  return ipaddr.isValidCIDR(network) ? network : undefined;
});

/** Name servers, always with a port: `192.0.2.1:53`, `[2001:db8::1]:53`. */
export const nameServers = listOf("addresses such as 1.1.1.1, 127.0.0.1:5353 or [::1]:53", (text) => {
  const server = listenAddress.parse(isIPv6(text) ? `[${text}]:53` : isIPv4(text) ? `${text}:53` : text);
  const usable = server && server.port > 0 && (isIPv4(server.host) || isIPv6(server.host));
  return usable ? listenAddress.print(server) : undefined;
});

export const database: Kind<Database> = {
  expects: "sqlite:<path>, sqlite::memory: or postgres://user:password@host/name (percent-encode / # @ % in them)",
  parse: (text) => {
    const path = /^sqlite:(?:\/\/(?=.))?(.+)$/.exec(text)?.[1];
    if (path !== undefined) return { kind: "sqlite", path };
    const url = /^postgres(?:ql)?:\/\//.test(text) ? URL.parse(text) : null;
    // A raw "/" or "#" in the password would move the rest of it into the path or fragment, which are not masked.
    const whole = url?.hash === "" && !url.pathname.includes("@");
    return whole && isPercentEncoded(text) ? { kind: "postgres", url: text } : undefined;
  },
  print: (value) => (value.kind === "sqlite" ? `sqlite:${value.path}` : value.url),
};

/** A list of entries separated by commas. Spaces around entries are removed, and empty entries are skipped. */
export function listOf<T>(
  expects: string,
  parseItem: (text: string) => T | undefined,
  printItem: (item: T) => string = String,
): Kind<T[]> {
  const parseItems = (text: string) => {
    const items = text.split(",").map((item) => item.trim());
    return items.filter((item) => item !== "").map(parseItem);
  };
  return {
    expects: `a list of ${expects}`,
    parse: (text) => {
      const parsed = parseItems(text);
      return parsed.every((item) => item !== undefined) ? parsed : undefined;
    },
    print: (items) => items.map(printItem).join(","),
    wrongEntry: (text) => parseItems(text).indexOf(undefined) + 1,
  };
}

/** Only four decimal parts: the library also reads `10.8` and octal forms, which users do not mean. */
function isIPv4(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text);
}

function isPercentEncoded(text: string): boolean {
  try {
    return decodeURIComponent(text) !== "";
  } catch {
    return false;
  }
}

function isIPv6(text: string): boolean {
  return ipaddr.IPv6.isValid(text);
}

function within(value: number | undefined, min = 0, max = Number.MAX_SAFE_INTEGER): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

function readUnit(text: string, units: Record<string, number>): number | undefined {
  const [, digits, unit] = /^(\d{1,15}) ?([a-z]*)$/i.exec(text) ?? [];
  const factor = Object.entries(units).find(([name]) => name.toLowerCase() === unit?.toLowerCase())?.[1];
  return factor === undefined ? undefined : Number(digits) * factor;
}

/** The value in the largest unit that divides it; a bare number if none does. */
function printUnit(value: number, units: Record<string, number>): string {
  const unit = Object.entries(units).find(([, factor]) => value > 0 && value % factor === 0);
  return unit ? `${value / unit[1]}${unit[0]}` : String(value);
}
