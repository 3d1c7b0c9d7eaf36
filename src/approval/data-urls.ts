import { base64Readings } from "../message/mime/base64.ts";

/** A URL that holds its content (RFC 2397): `data:TYPE,DATA`. */
export interface DataUrl {
  /** With its parameters; "" if it names none. */
  type: string;
  data: string;
  url: string;
}

/** Characters between the scheme and the comma: a media type with its parameters has a few dozen. */
const DATA_TYPE_MAX = 500;
/** The end of a URL that is not the whole value of its attribute. */
const urlEnd = /[\s"'()<>]/g;

/** Every `data:` URL in an attribute, a style sheet or a line. One at the very beginning extends to the end. Linear. */
export function* dataUrls(place: string): Generator<DataUrl> {
  let end = 0;
  for (const { index } of place.matchAll(/data:/gi)) {
    if (index < end) continue;
    const typeAt = index + "data:".length;
    const [type = ""] = place.slice(typeAt, typeAt + DATA_TYPE_MAX).split(",", 1);
    const dataAt = typeAt + type.length + 1;
    if (place[dataAt - 1] !== "," || (index > 0 && /[\s"'()<>]/.test(type))) continue;
    urlEnd.lastIndex = dataAt;
    end = index === 0 ? place.length : (urlEnd.exec(place)?.index ?? place.length);
    yield { type, data: place.slice(dataAt, end), url: place.slice(index, end) };
  }
}

/** Whether the data are in base64; otherwise they are percent-encoded. */
export function isBase64({ type }: DataUrl): boolean {
  return /;\s*base64$/i.test(type.trimEnd());
}

/** The bytes that the URL holds, in each reading of their base64. */
export function contentsOf(url: DataUrl): Buffer[] {
  const decoded = Buffer.from(url.data)
    .toString("latin1")
    .replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const bytes = Buffer.from(decoded, "latin1");
  return isBase64(url) ? base64Readings(bytes) : [bytes];
}
