/** A signed-in browser. */
import { Type } from "@sinclair/typebox";
import { User } from "./account.ts";
import { time } from "./words.ts";

export const Session = Type.Object(
  {
    id: Type.String(),
    current: Type.Boolean({ description: "Whether this is the session of the request." }),
    created_at: time("When the browser signed in."),
    expires_at: time(),
    last_used_at: Type.Optional(time("To the minute.")),
    user_agent: Type.Optional(Type.String({ description: "The browser, as it describes itself." })),
    ip: Type.Optional(Type.String({ description: "The address from which it was last used." })),
  },
  { $id: "Session" },
);

export const SignedInBrowser = Type.Object(
  {
    user: User,
    session: Type.Object({ id: Type.String(), created_at: time(), expires_at: time() }),
  },
  { $id: "SignedInBrowser" },
);
