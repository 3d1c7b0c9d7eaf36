import { describe, expect, test } from "bun:test";
import { readMail } from "../read.ts";
import { findCalendar } from "./calendar.ts";

const limits = { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 };
/** Outlook's zone, which begins in the year 1601. */
const berlin = (id: string) => [
  ...["BEGIN:VTIMEZONE", `TZID:${id}`, "BEGIN:STANDARD", "DTSTART:16011028T030000"],
  ...["RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "END:STANDARD"],
  ...["BEGIN:DAYLIGHT", "DTSTART:16010325T020000", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3"],
  ...["TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "END:DAYLIGHT", "END:VTIMEZONE"],
];
const calendarOf = (before: string[], event: string[]) =>
  ["BEGIN:VCALENDAR", ...before, "BEGIN:VEVENT", ...event, "END:VEVENT", "END:VCALENDAR", ""].join("\r\n");
const find = (text: string, method = "") => findCalendar([{ content: Buffer.from(text), charset: null, method }]);
const event = async (before: string[], ...lines: string[]) => {
  const { calendar, defects } = await find(calendarOf(before, lines));
  return { ...calendar, defects };
};

const invitation = calendarOf(
  ["METHOD:REQUEST", "PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN", ...berlin("W. Europe Standard Time")],
  [
    ...['ATTENDEE;CN="Bot; the first";RSVP=TRUE:mailto:bot@agents.test', "ATTENDEE:mailto:carol@example.com"],
    'DTSTART;TZID="W. Europe Standard Time":20260615T100000',
    'DTEND;TZID="W. Europe Standard Time":20260615T110000',
    ...["UID:0400000082", 'ORGANIZER;CN="Roe; Alice":MAILTO:Alice@Example.com', "LOCATION:Room 5\\, Bonn"],
    ...["SUMMARY;LANGUAGE=de:Bespre", " chung\\; lang", "DESCRIPTION:Agenda\\n1. Plan", "RRULE:FREQ=WEEKLY;COUNT=5"],
    ...["BEGIN:VALARM", "TRIGGER:-PT15M", "SUMMARY:Alarm", "END:VALARM"],
  ],
);
const read = {
  method: "REQUEST",
  uid: "0400000082",
  start: "2026-06-15T10:00:00+02:00",
  end: "2026-06-15T11:00:00+02:00",
  summary: "Besprechung; lang",
  location: "Room 5, Bonn",
  organizer: "alice@example.com",
  organizer_name: "Roe; Alice",
  attendees: 2,
  recurring: true,
};

describe("an invitation in a message", () => {
  const message = (type: string, ...part: string[]) =>
    readMail(
      Buffer.from(
        [
          ...["From: alice@example.com", "Date: Mon, 1 Jun 2026 10:00:00 +0000", `Content-Type: ${type}; boundary=b`],
          ...["", "--b", "Content-Type: text/plain", "", "Please come", "--b", ...part, "--b--", ""],
        ].join("\r\n"),
      ),
      limits,
    );
  const base64 = Buffer.from(invitation).toString("base64");

  test.each<[string, string[]]>([
    ["multipart/alternative", ["Content-Type: text/calendar; charset=utf-8; method=REQUEST", "", invitation]],
    [
      "multipart/mixed",
      ["Content-Type: application/ics; name=invite.ics", "Content-Transfer-Encoding: base64", "", base64],
    ],
    [
      "multipart/mixed",
      [
        "Content-Type: application/octet-stream",
        ...["Content-Disposition: attachment; filename=x.ICS", "Content-Transfer-Encoding: base64", "", base64],
      ],
    ],
  ])("%s %j", async (type, part) => {
    const { text, calendar, attachments, defects } = await message(type, ...part);
    expect({ text, calendar, files: attachments.length, defects: defects.map(({ code }) => code) }).toEqual({
      ...{ text: "Please come", calendar: read, files: 1, defects: [] },
    });
  });

  test("that has no other text shows what the event says", async () => {
    const lines = ["From: a@example.com", "Date: Mon, 1 Jun 2026 10:00:00 +0000", "Content-Type: text/calendar"];
    const { text, calendar } = await readMail(Buffer.from([...lines, "", invitation].join("\r\n")), limits);
    expect({ text, calendar }).toEqual({ text: "Agenda\n1. Plan", calendar: read });
  });

  test("that cannot be read is a file, and a defect", async () => {
    const { calendar, attachments, defects } = await message("multipart/mixed", "Content-Type: text/calendar", "", "?");
    expect({ calendar, files: attachments.length, defects: defects.map(({ code }) => code) }).toEqual({
      ...{ calendar: null, files: 1, defects: ["calendar_unreadable"] },
    });
  });
});

describe("times", () => {
  const in1987 = ["BEGIN:VTIMEZONE", "TZID:America/Old", "BEGIN:STANDARD", "DTSTART:19871025T020000"];
  const oldNewYork = [
    ...in1987,
    ...["TZOFFSETFROM:-0400", "TZOFFSETTO:-0500", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z"],
    ...["END:STANDARD", "BEGIN:STANDARD", "DTSTART:20071104T020000", "TZOFFSETFROM:-0400", "TZOFFSETTO:-0500"],
    ...["RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=SU;BYMONTHDAY=1,2,3,4,5,6,7", "END:STANDARD", "BEGIN:DAYLIGHT"],
    ...["DTSTART:20070311T020000", "TZOFFSETFROM:-0500", "TZOFFSETTO:-0400", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU"],
    ...["END:DAYLIGHT", "END:VTIMEZONE"],
  ];

  const amman = [
    ...["BEGIN:VTIMEZONE", "TZID:Amman", "BEGIN:STANDARD", "DTSTART:20141031T010000"],
    ...["RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1FR", "TZOFFSETFROM:+0300", "TZOFFSETTO:+0200", "END:STANDARD"],
    ...["BEGIN:DAYLIGHT", "DTSTART:20140328T000000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1FR"],
    ...["TZOFFSETFROM:+0200", "TZOFFSETTO:+0300", "END:DAYLIGHT", "END:VTIMEZONE"],
  ];

  type Row = [string[], string, string | undefined, string | null, string | null, string[]];
  test.each<Row>([
    [[], "DTSTART:20260615T100000Z", "DTEND:20260615T103000Z", "2026-06-15T10:00:00Z", "2026-06-15T10:30:00Z", []],
    [[], "DTSTART;VALUE=DATE:20260615", "DTEND;VALUE=DATE:20260617", "2026-06-15", "2026-06-17", []],
    [[], "DTSTART;VALUE=DATE:20261231", undefined, "2026-12-31", "2027-01-01", []],
    [[], "DTSTART:20260615T100000", "DURATION:PT1H30M", "2026-06-15T10:00:00", "2026-06-15T11:30:00", []],
    [
      berlin("X"),
      "DTSTART;TZID=X:20261025T010000",
      "DURATION:PT4H",
      "2026-10-25T01:00:00+02:00",
      "2026-10-25T04:00:00+01:00",
      [],
    ],
    [
      [],
      "DTSTART;TZID=Europe/Berlin:20261024T100000",
      "DURATION:P1D",
      "2026-10-24T10:00:00+02:00",
      "2026-10-25T10:00:00+01:00",
      [],
    ],
    [
      [],
      "DTSTART;TZID=Tokyo Standard Time:20260615T100000",
      undefined,
      "2026-06-15T10:00:00+09:00",
      "2026-06-15T10:00:00+09:00",
      [],
    ],
    [
      [],
      "DTSTART;TZID=/example.org/20050126_1/Asia/Kolkata:20260615T100000",
      undefined,
      "2026-06-15T10:00:00+05:30",
      "2026-06-15T10:00:00+05:30",
      [],
    ],
    ...["tzone://Microsoft/Utc", '"tzone://Microsoft/Utc"'].map(
      (zone): Row => [
        [],
        `DTSTART;TZID=${zone}:20260615T100000`,
        `DTEND;VALUE=DATE-TIME;TZID=${zone};X-A=B:20260615T110000`,
        ...(["2026-06-15T10:00:00+00:00", "2026-06-15T11:00:00+00:00", []] as [string, string, string[]]),
      ],
    ),
    [
      berlin("(UTC+01:00) Amsterdam, Berlin, Bern, Rome"),
      "DTSTART;TZID=(UTC+01:00) Amsterdam, Berlin, Bern, Rome:20260615T100000",
      "DTEND;TZID=(UTC+01:00) Amsterdam, Berlin, Bern, Rome;VALUE=DATE-TIME:20260615T110000",
      "2026-06-15T10:00:00+02:00",
      "2026-06-15T11:00:00+02:00",
      [],
    ],
    [
      oldNewYork,
      "DTSTART;TZID=America/Old:20261031T235900",
      "DTEND;TZID=America/Old:20261101T020000",
      "2026-10-31T23:59:00-04:00",
      "2026-11-01T02:00:00-05:00",
      [],
    ],
    [
      oldNewYork,
      "DTSTART;TZID=America/Old:20070101T120000",
      "DTEND;TZID=America/Old:20070311T030000",
      "2007-01-01T12:00:00-05:00",
      "2007-03-11T03:00:00-04:00",
      [],
    ],
    // The month ends on a Sunday, two days after its last Friday.
    [
      amman,
      "DTSTART;TZID=Amman:20271028T120000",
      "DTEND;TZID=Amman:20271030T120000",
      "2027-10-28T12:00:00+03:00",
      "2027-10-30T12:00:00+02:00",
      [],
    ],
    [
      [],
      "DTSTART;TZID=Mars:20260615T100000",
      undefined,
      "2026-06-15T10:00:00",
      "2026-06-15T10:00:00",
      ["calendar_zone_unknown"],
    ],
    [[], "DTSTART:20260231T100000Z", "DTEND:20260615T100000Z", null, "2026-06-15T10:00:00Z", ["calendar_time_invalid"]],
    [[], "DTSTART:soon", "DURATION:PT1H", null, null, ["calendar_time_invalid"]],
    [[], "SUMMARY:Some day", undefined, null, null, []],
    [
      [],
      "DTSTART;VALUE=DATE:99991231",
      "DTEND;VALUE=DATE:99991231",
      ...(["9999-12-31", "9999-12-31", []] as [string, string, string[]]),
    ],
    [[], "DTSTART;VALUE=DATE:99991231", undefined, "9999-12-31", null, ["calendar_time_invalid"]],
    // The usual way to write that it never ends.
    [
      [],
      "DTSTART:99991231T100000Z",
      "DTEND:99991231T235959Z",
      ...(["9999-12-31T10:00:00Z", "9999-12-31T23:59:59Z", []] as [string, string, string[]]),
    ],
    [[], "DTSTART:99991231T235959Z", "DURATION:PT1S", "9999-12-31T23:59:59Z", null, ["calendar_time_invalid"]],
    [[], "DTSTART:99990101T000000Z", "DURATION:P9999W", "9999-01-01T00:00:00Z", null, ["calendar_time_invalid"]],
  ])("%j %s %s", async (zones, first, second, start, end, defects) => {
    const lines = second === undefined ? [first] : [first, second];
    expect(await event(zones, ...lines)).toMatchObject({ start, end, defects });
  });

  const ofZone = (id: string, standard: string[], daylight: string[]) => [
    ...["BEGIN:VTIMEZONE", `TZID:${id}`, "BEGIN:STANDARD", ...standard, "END:STANDARD"],
    ...["BEGIN:DAYLIGHT", ...daylight, "END:DAYLIGHT", "END:VTIMEZONE"],
  ];
  const offsets = (from: string, to: string) => [`TZOFFSETFROM:${from}`, `TZOFFSETTO:${to}`];
  const yearly = (rule: string) => `RRULE:FREQ=YEARLY;${rule}`;
  const definitions: Record<string, string[]> = {
    "Europe/Berlin": ofZone(
      "Europe/Berlin",
      ["DTSTART:19701025T030000", yearly("BYMONTH=10;BYDAY=-1SU"), ...offsets("+0200", "+0100")],
      ["DTSTART:19700329T020000", yearly("BYMONTH=3;BYDAY=-1SU"), ...offsets("+0100", "+0200")],
    ),
    "America/New_York": ofZone(
      "America/New_York",
      ["DTSTART:20071104T020000", yearly("BYMONTH=11;BYDAY=1SU"), ...offsets("-0400", "-0500")],
      ["DTSTART:20070311T020000", yearly("BYMONTH=3;BYDAY=2SU"), ...offsets("-0500", "-0400")],
    ),
    "Australia/Sydney": ofZone(
      "Australia/Sydney",
      ["DTSTART:20080406T030000", yearly("BYMONTH=4;BYDAY=1SU"), ...offsets("+1100", "+1000")],
      ["DTSTART:20081005T020000", yearly("BYMONTH=10;BYDAY=1SU"), ...offsets("+1000", "+1100")],
    ),
  };
  describe.each([
    ["in the IANA database", () => []],
    ["in the calendar", (id: string) => definitions[id] as string[]],
  ])("where the clocks change, by a zone %s", (_, before) => {
    test.each([
      ["Europe/Berlin", "20261025T023000", "PT0S", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+02:00"],
      ["Europe/Berlin", "20261025T015900", "PT1M", "2026-10-25T01:59:00+02:00", "2026-10-25T02:00:00+02:00"],
      ["Europe/Berlin", "20261024T233000", "PT3H", "2026-10-24T23:30:00+02:00", "2026-10-25T02:30:00+02:00"],
      ["Europe/Berlin", "20261024T233000", "PT4H", "2026-10-24T23:30:00+02:00", "2026-10-25T02:30:00+01:00"],
      ["Europe/Berlin", "20261024T023000", "P1D", "2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00"],
      ["Europe/Berlin", "20261024T023000", "P1DT1H", "2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+01:00"],
      ["Europe/Berlin", "20260329T023000", "PT1H", "2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00"],
      ["Europe/Berlin", "20260328T023000", "P1D", "2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00"],
      ["America/New_York", "20261101T013000", "PT0S", "2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-04:00"],
      ["America/New_York", "20261101T003000", "PT1H30M", "2026-11-01T00:30:00-04:00", "2026-11-01T01:00:00-05:00"],
      ["America/New_York", "20260308T023000", "PT0S", "2026-03-08T03:30:00-04:00", "2026-03-08T03:30:00-04:00"],
      ["Australia/Sydney", "20260405T023000", "PT1H", "2026-04-05T02:30:00+11:00", "2026-04-05T02:30:00+10:00"],
      ["Australia/Sydney", "20261004T023000", "PT0S", "2026-10-04T03:30:00+11:00", "2026-10-04T03:30:00+11:00"],
    ])("%s %s %s", async (id, time, duration, start, end) => {
      const lines = [`DTSTART;TZID=${id}:${time}`, `DURATION:${duration}`];
      expect(await event(before(id), ...lines)).toMatchObject({ start, end, defects: [] });
    });
  });

  test("an offset that no clock has is no definition of a zone", async () => {
    const zone = ofZone(
      "X",
      ["DTSTART:19701025T030000", ...offsets("+0200", "+9959")],
      ["DTSTART:19700329T020000", ...offsets("+0100", "+0200")],
    );
    const lines = ["DTSTART;TZID=X:20261025T023000", "DURATION:PT1H"];
    expect(await event(zone, ...lines)).toMatchObject({
      ...{ start: "2026-10-25T02:30:00", end: "2026-10-25T03:30:00", defects: ["calendar_zone_unknown"] },
    });
  });
});

describe("what is past a limit is not left out in silence", () => {
  const cut = ["calendar_truncated"];
  test("lines", async () => {
    const many = (count: number) => find(calendarOf(Array<string>(count).fill("X-A:1"), ["UID:1"]));
    expect(await many(19_995)).toMatchObject({ calendar: { uid: "1" }, defects: [] });
    expect(await many(20_000)).toMatchObject({ calendar: null, defects: cut });
  });

  test.each<[string, string[], string[]]>([
    ["a summary", [`SUMMARY:${"x".repeat(1_001)}`], cut],
    ["a location whose end is on a long line", [`LOCATION:${"\\n".repeat(20_000)}Bonn`], cut],
    [
      "parameters",
      [`ORGANIZER${Array.from({ length: 50 }, (_, i) => `;A${i}=b`).join("")};CN=Al:mailto:al@example.com`],
      cut,
    ],
    ["a property that nobody reads", [`X-ALT-DESC:${"x".repeat(40_000)}`], []],
    ["a description that is not shown", [`DESCRIPTION:${"x".repeat(40_000)}`], []],
  ])("%s", async (_, lines, defects) => {
    expect(await event([], ...lines)).toMatchObject({ defects });
  });

  test("a description that is shown", async () => {
    const head = ["From: a@example.com", "Date: Mon, 1 Jun 2026 10:00:00 +0000", "Content-Type: text/calendar", ""];
    const raw = [...head, calendarOf([], [`DESCRIPTION:${"x".repeat(40_000)}`])].join("\r\n");
    const { defects } = await readMail(Buffer.from(raw), limits);
    expect(defects.map(({ code }) => code)).toEqual(["part_truncated"]);
  });

  test("observances, and dates, of a zone", async () => {
    const dates = Array<string>(300).fill("RDATE:20200101T000000");
    const zone = ["BEGIN:VTIMEZONE", "TZID:X", "BEGIN:STANDARD", "DTSTART:20200101T000000"];
    const end = ["TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "END:STANDARD", "END:VTIMEZONE"];
    const time = "DTSTART;TZID=X:20260615T100000";
    const unknown = { defects: ["calendar_zone_unknown"] };
    expect(await event([...zone, ...dates, ...end], time)).toMatchObject(unknown);
    const empty = Array<string[]>(300)
      .fill([...zone.slice(2), ...end.slice(0, -1)])
      .flat();
    expect(await event([...zone.slice(0, 2), ...empty, "END:VTIMEZONE"], time)).toMatchObject(unknown);
  });

  test("files", async () => {
    const file = { content: Buffer.from("BEGIN:VCALENDAR\r\nEND:VCALENDAR"), charset: null, method: "" };
    expect(await findCalendar(Array(4).fill(file))).toMatchObject({ defects: [] });
    expect(await findCalendar(Array(5).fill(file))).toMatchObject({ defects: cut });
  });
});

describe("who, what and how", () => {
  test.each<[string, string[], object]>([
    ["no organizer", ["SUMMARY:x"], { organizer: null, organizer_name: "", attendees: 0, recurring: false }],
    ["an organizer without mailto", ["ORGANIZER;CN=Al:al@example.com"], { organizer: "al@example.com" }],
    ["an organizer elsewhere", ["ORGANIZER;EMAIL=al@example.com:invalid:nomail"], { organizer: "al@example.com" }],
    [
      "an organizer whose address follows others without quotes",
      ["ORGANIZER;SENT-BY=mailto:pa@a.example;DIR=ldap://a.example/o=A;CN=Al:mailto:al@a.example"],
      { organizer: "al@a.example", organizer_name: "Al" },
    ],
    [
      "words after an address without quotes",
      ["SUMMARY;ALTREP=http://a.example/1:Plan: now"],
      { summary: "Plan: now" },
    ],
    ["words that look like an address", ["SUMMARY;LANGUAGE=en://todo: lunch"], { summary: "//todo: lunch" }],
    ["an organizer that is no address", ["ORGANIZER:mailto:a b@example.com"], { organizer: null }],
    [
      "an organizer with fields of a header",
      ["ORGANIZER:mailto:al@a.example?subject=x"],
      { organizer: "al@a.example" },
    ],
    ["an organizer in quotes", ['ORGANIZER:mailto:"a b"@a.example'], { organizer: '"a b"@a.example' }],
    ["an organizer encoded", ["ORGANIZER:mailto:%22a%20b%22@a.example"], { organizer: '"a b"@a.example' }],
    ["two organizers", ["ORGANIZER:mailto:al@a.example,bo@b.example"], { organizer: null }],
    [
      "escapes in a parameter",
      ["ORGANIZER;CN=Al ^'x^'^nRoe^^^x:mailto:a@b.example"],
      { organizer_name: 'Al "x" Roe^^x' },
    ],
    ["what turns text around", ["SUMMARY:a\u202eb\\nc"], { summary: "ab c" }],
    ["small letters", ["summary:low"], { summary: "low" }],
    ["a line that is folded with a tab", ["SUMMARY:Bespre", "\tchung"], { summary: "Besprechung" }],
    ["a series by its dates", ["RDATE:20260615T100000Z"], { recurring: true }],
  ])("%s", async (_, lines, expected) => {
    expect(await event([], ...lines)).toMatchObject(expected);
  });

  test("the pattern of a series comes before its exceptions", async () => {
    const exception = ["BEGIN:VEVENT", "RECURRENCE-ID:20260615T100000Z", "SUMMARY:Moved", "END:VEVENT"];
    expect(await event(exception, "SUMMARY:Weekly")).toMatchObject({ summary: "Weekly" });
  });

  test("the method is the calendar's, or that of its type", async () => {
    const cancelled = calendarOf(["METHOD:CANCEL"], ["UID:1"]);
    expect((await find(cancelled, "request")).calendar?.method).toBe("CANCEL");
    expect((await find(calendarOf([], ["UID:1"]), "request")).calendar?.method).toBe("REQUEST");
    expect((await find(calendarOf([], ["UID:1"]))).calendar?.method).toBeNull();
  });

  test("a calendar without an event is no invitation", async () => {
    const busy = "BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nEND:VFREEBUSY\r\nEND:VCALENDAR";
    expect(await find(busy)).toMatchObject({ calendar: null, description: "", defects: [] });
  });
});

describe("takes time in proportion to its length", () => {
  const hostile: Record<string, (n: number) => string> = {
    "components that are never closed": (n) => "BEGIN:VCALENDAR\r\n".concat("BEGIN:VEVENT\r\n".repeat(n)),
    parameters: (n) => `BEGIN:VCALENDAR\r\nSUMMARY${";A=b".repeat(n)}:x`,
    "open quotes": (n) => `BEGIN:VCALENDAR\r\n${'SUMMARY;A="\r\n'.repeat(n)}`,
    folds: (n) => `BEGIN:VCALENDAR\r\nSUMMARY:${"\r\n x".repeat(n)}`,
    observances: (n) =>
      calendarOf(
        ["BEGIN:VTIMEZONE", "TZID:X", ...Array<string[]>(n).fill(berlin("X").slice(2, 8)).flat(), "END:VTIMEZONE"],
        ["DTSTART;TZID=X:20260615T100000"],
      ),
    "a rule of seconds": () =>
      calendarOf(
        [
          ...["BEGIN:VTIMEZONE", "TZID:X", "BEGIN:STANDARD", "DTSTART:00010101T000000", "TZOFFSETFROM:+0200"],
          ...["TZOFFSETTO:+0100", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30", "END:STANDARD", "END:VTIMEZONE"],
        ],
        ["DTSTART;TZID=X:20260615T100000"],
      ),
  };
  test.each(Object.entries(hostile))("%s", async (_, make) => {
    const text = make(60_000).slice(0, 1_000_000);
    const start = process.cpuUsage().user;
    await find(text);
    // Microseconds of processor time; what is not linear takes minutes.
    expect(process.cpuUsage().user - start).toBeLessThan(2_000_000);
  });
});
