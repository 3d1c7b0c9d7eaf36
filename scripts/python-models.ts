/** Generates the Python SDK's dataclasses of received messages from the schemas of the OpenAPI document. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: (string | null)[];
  items?: Schema;
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  required?: string[];
}

interface Class {
  name: string;
  doc: string;
  /** Names of schemas, or `Schema.member` for a nested object. A member that not all of them have is Optional. */
  from: string[];
  base?: string;
  /** Its base class in `_behaviour.py`. */
  behaviour?: string;
  /** Members that have another name, or that a subclass reads. */
  without?: string[];
  /** Members that are too long to print. */
  unprinted?: string[];
  /** Defaults that differ from those of the types. */
  defaults?: Record<string, string>;
}

/** In the order of the file: classes that others contain come first. */
const classes: Class[] = [
  {
    name: "AttachmentData",
    doc: "What is known of an attachment without its bytes. Name and type are the sender's claims.",
    from: ["Attachment"],
  },
  { name: "SpfResult", doc: "What SPF found (RFC 7208).", from: ["Authentication.spf"] },
  { name: "DkimResult", doc: "What became of one DKIM signature (RFC 6376).", from: ["Authentication.dkim"] },
  { name: "DmarcResult", doc: "What DMARC found (RFC 7489).", from: ["Authentication.dmarc"] },
  { name: "ArcResult", doc: "What ARC found (RFC 8617).", from: ["Authentication.arc"] },
  {
    name: "Authentication",
    doc: "What passed and what failed. ``verified`` of the message is the verdict.",
    from: ["Authentication"],
  },
  {
    name: "Calendar",
    doc: "The event that a message invites to, changes, answers or cancels (RFC 5545).",
    from: ["Calendar"],
  },
  {
    name: "Defect",
    doc: "Something that was repaired, guessed or left out when a message was read.",
    from: ["Defect"],
  },
  { name: "HeaderField", doc: "A header field, decoded.", from: ["MessageDetail.headers", "AttachedMessage.headers"] },
  {
    name: "AttachedMessage",
    doc: "A message that is attached to another. Nothing in it is proven.",
    from: ["AttachedMessage"],
    unprinted: ["headers"],
  },
  {
    name: "MessageSummaryData",
    doc: "A message as lists show it. Lists over several agents and deliveries also name the agent.",
    from: ["MessageSummary", "InboxMessage"],
    behaviour: "Automation",
    defaults: { direction: '"inbound"' },
  },
  {
    name: "MessageData",
    doc: "A whole message. In a delivery, ``event_id`` is the event that told of it.",
    from: ["MessageDetail", "WebhookMessage"],
    base: "MessageSummaryData",
    behaviour: "RawMail",
    without: ["type", "received_at", "attachments"],
    unprinted: ["auth_headers", "raw_message", "headers"],
  },
];

/** Python keywords, which cannot name a field. */
const keywords = new Set(["from"]);
const LINE_CHARS_MAX = 118;

/** The text of `_messages.py`. */
export function pythonModels(schemas: Record<string, Schema>): string {
  const nameOf = new Map(classes.flatMap(({ name, from }) => from.map((schema) => [schema, name] as const)));
  const written = new Map<string, Map<string, string>>();
  const texts = classes.map((one) => classText(one, schemas, nameOf, written));
  return [
    '"""Received messages as dataclasses. Generated from docs/openapi.json and src/wire by scripts/api-types.ts."""',
    "",
    "from __future__ import annotations",
    "",
    "from dataclasses import dataclass, field",
    "from datetime import datetime",
    "from typing import Dict, List, Optional",
    "",
    "from ._behaviour import Automation, RawMail",
    "from ._decode import NO_TIME, Model",
    "",
    "",
    texts.join("\n\n\n"),
    "",
  ].join("\n");
}

function classText(
  one: Class,
  schemas: Record<string, Schema>,
  nameOf: Map<string, string>,
  written: Map<string, Map<string, string>>,
): string {
  const inherited = written.get(one.base ?? "") ?? new Map<string, string>();
  const fields = new Map(inherited);
  const objects = one.from.map((path) => ({ path, object: objectAt(schemas, path) }));
  const names = [...new Set(objects.flatMap(({ object }) => Object.keys(object.properties ?? {})))];
  const lines: string[] = [];
  for (const name of names.filter((name) => !one.without?.includes(name))) {
    const { path, object } = objects.find(({ object }) => object.properties?.[name]) ?? objects[0]!;
    const schema = object.properties?.[name] ?? {};
    const isOptional = objects[0]!.path !== path || !object.required?.includes(name);
    const [type, plainDefault] = typeOf(schema, isOptional, `${path}.${name}`, nameOf);
    const given = one.defaults?.[name] ?? plainDefault;
    const text = `${name}${keywords.has(name) ? "_" : ""}: ${type} = ${one.unprinted?.includes(name) ? unprinted(given) : given}`;
    if (inherited.get(name) === type) continue;
    fields.set(name, type);
    lines.push(...commentOf(schema), `    ${text}`);
  }
  written.set(one.name, fields);
  const bases = [one.base ?? "Model", ...(one.behaviour ? [one.behaviour] : [])];
  return [
    "@dataclass(frozen=True)",
    `class ${one.name}(${bases.join(", ")}):`,
    `    """${one.doc}"""`,
    "",
    ...lines,
  ].join("\n");
}

/** A schema by name, or the object that one of its members is or lists. */
function objectAt(schemas: Record<string, Schema>, path: string): Schema {
  const [name = "", member] = path.split(".");
  const schema = schemas[name];
  const found = member === undefined ? schema : schema?.properties?.[member];
  const object = found?.items ?? found;
  if (!object?.properties) throw new Error(`There is no object ${path} in the OpenAPI document.`);
  return object;
}

/** A member's type and default. A value that may be missing defaults to None, a list to an empty list. */
function typeOf(
  schema: Schema,
  isOptional: boolean,
  path: string,
  nameOf: Map<string, string>,
): [type: string, whenMissing: string] {
  if (schema.items) return [`List[${typeOf(schema.items, false, path, nameOf)[0]}]`, "field(default_factory=list)"];
  const kinds = [schema.type ?? "object"].flat();
  const maybe = (type: string, whenMissing: string): [string, string] =>
    isOptional || kinds.includes("null") ? [`Optional[${type}]`, "None"] : [type, whenMissing];
  const model = schema.$ref ? nameOf.get(schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1)) : nameOf.get(path);
  if (model) return maybe(model, `field(default_factory=${model})`);
  if (schema.patternProperties) return ["Dict[str, str]", "field(default_factory=dict)"];
  if (schema.format === "date-time") return maybe("datetime", "NO_TIME");
  if (kinds.includes("string")) return maybe("str", '""');
  if (kinds.includes("integer")) return maybe("int", "0");
  if (kinds.includes("boolean")) return maybe("bool", "False");
  throw new Error(`${path} has a type that Python's models do not know yet: ${JSON.stringify(schema)}`);
}

function unprinted(whenMissing: string): string {
  const factory = /^field\((.*)\)$/.exec(whenMissing)?.[1] ?? `default=${whenMissing}`;
  return `field(${factory}, repr=False)`;
}

/** A member's description as a Sphinx comment, with its words if there are few. */
function commentOf({ description, enum: words = [] }: Schema): string[] {
  const said = words.filter((word) => word !== null).map((word) => `\`\`${word}\`\``);
  const choice = said.length > 0 && said.length <= 4 ? [`${said.slice(0, -1).join(", ")} or ${said.at(-1)}.`] : [];
  const text = [...choice, ...(description ? [description.replaceAll("`", "``")] : [])].join(" ");
  const lines: string[] = [];
  for (const word of text.split(" ").filter(Boolean)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE_CHARS_MAX)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`    #: ${word}`);
  }
  return lines;
}
