import { visibleLine, visibleText } from "../../../src/message/text/visible.ts";
import { Badge } from "../ui/badge.tsx";
import { cx } from "../ui/cx.ts";
import { foreignHost, hostOf, linkTarget, targetName } from "./hosts.ts";

/** Browsers take too long to show more marks in one text. They are spelled out all the same. */
const MARKS_MAX = 500;
const mark = /⟨U\+[0-9A-F]{4,6}⟩(?:×\d+)?/g;

/** Text that a stranger wrote. Invisible and direction-changing characters are spelled out and marked. */
export function Untrusted({ text, lines = false }: { text: string; lines?: boolean }) {
  const shown = lines ? visibleText(text) : visibleLine(text);
  const parts = shown.split(mark);
  if (parts.length === 1 || parts.length > MARKS_MAX) return <bdi>{shown}</bdi>;
  const marks = shown.match(mark) ?? [];
  return (
    <bdi>
      {parts.map((part, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text have no other name.
        <span key={place}>
          {part}
          {marks[place] && (
            <span
              title="An invisible character, or one that changes the order of the text"
              className="rounded bg-warn-soft px-0.5 font-mono text-2xs text-warn"
            >
              {marks[place]}
            </span>
          )}
        </span>
      ))}
    </bdi>
  );
}

/** A host name in Unicode. Marks letters outside ASCII, because they may look like others. */
export function ForeignName({ name }: { name: string }) {
  return (
    <bdi>
      {name.split(/([^\x20-\x7e]+)/).map((part, place) =>
        place % 2 === 0 ? (
          part
        ) : (
          <mark
            // biome-ignore lint/suspicious/noArrayIndexKey: parts of one name have no other name.
            key={place}
            title={[...part]
              .map((one) => `U+${one.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}`)
              .join(" ")}
            className="rounded bg-bad-soft px-px text-bad underline decoration-2"
          >
            {part}
          </mark>
        ),
      )}
    </bdi>
  );
}

/** A mail address. Shows a domain outside ASCII in both forms: look-alikes differ in only one of them. */
export function Address({ address, name, className }: { address: string; name?: string; className?: string }) {
  const foreign = foreignHost(hostOf(address));
  // A display name that looks like another address would be read as the sender's.
  const posing = name?.includes("@") && !name.toLowerCase().includes(address.toLowerCase());
  return (
    <span className={cx("wrap-anywhere", className)}>
      {name && !posing && (
        <>
          <span className="font-medium">
            <Untrusted text={name} />
          </span>{" "}
        </>
      )}
      <span className={name && !posing ? "text-muted" : ""}>
        <Untrusted text={address || "no address"} />
      </span>
      {foreign && (
        <>
          {" "}
          <Badge tone="warn">
            reads as <ForeignName name={foreign} />
          </Badge>
        </>
      )}
      {posing && (
        <>
          {" "}
          <Badge tone="warn">
            calls itself <Untrusted text={name ?? ""} />
          </Badge>
        </>
      )}
    </span>
  );
}

/** A link out of a mail. Leads first to the page that shows its target. */
function OutsideLink({ href, text }: { href: string; text: string }) {
  const url = linkTarget(href);
  if (!url) return <Untrusted text={text} />;
  const foreign = foreignHost(url.hostname);
  return (
    <>
      <a
        href={`/leaving?to=${encodeURIComponent(url.href)}`}
        target="_blank"
        rel="noopener noreferrer nofollow"
        title={`Leads to ${targetName(url)}`}
        className="link"
      >
        <Untrusted text={text} />
      </a>
      {foreign && (
        <>
          {" "}
          <Badge tone="warn">
            reads as <ForeignName name={foreign} />
          </Badge>
        </>
      )}
    </>
  );
}

const plainLink = /\bhttps?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]'»”’]/gi;
/** Longer text is truncated in the page; the source has all of it. */
const TEXT_CHARS_MAX = 200_000;

/** The plain text of a mail, with clickable links. */
export function MailText({ text }: { text: string }) {
  const cut = text.slice(0, TEXT_CHARS_MAX);
  const parts = cut.split(plainLink);
  const links = cut.match(plainLink) ?? [];
  return (
    <div className="max-w-prose font-sans text-base wrap-anywhere whitespace-pre-wrap">
      {parts.map((part, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text have no other name.
        <span key={place}>
          <Untrusted text={part} lines />
          {links[place] && <OutsideLink href={links[place]} text={links[place]} />}
        </span>
      ))}
      {text.length > TEXT_CHARS_MAX && (
        <p className="pt-4 text-sm text-muted">The text goes on: download the message.</p>
      )}
    </div>
  );
}
