/** The event that a received message is about. */
import { Type } from "@sinclair/typebox";
import { nullable } from "./words.ts";

export const Calendar = Type.Object(
  {
    method: nullable(
      Type.String(),
      "What the sender wants: `REQUEST` invites or changes, `CANCEL` cancels, `REPLY` answers (RFC 5546); null if it does not say.",
    ),
    uid: Type.String({ description: "The same in every message about this event." }),
    start: nullable(
      Type.String(),
      "RFC 3339 with the offset of its time zone, `2026-06-15T10:00:00+02:00`; only a day for an event that takes all " +
        "day, `2026-06-15`; without an offset if its time zone is unknown. Null if it cannot be read.",
    ),
    end: nullable(Type.String(), "Like `start`. Exclusive: an event of one whole day ends on the next day."),
    summary: Type.String(),
    location: Type.String(),
    organizer: nullable(Type.String(), "A bare address. Nothing proves it: see `from` and `verified`."),
    organizer_name: Type.String(),
    attendees: Type.Integer({ description: "How many are invited." }),
    recurring: Type.Boolean({
      description: "Whether it is a series; `start` and `end` are those of its first event.",
    }),
  },
  { $id: "Calendar", description: "The event that a message invites to, changes, answers or cancels (RFC 5545)." },
);
