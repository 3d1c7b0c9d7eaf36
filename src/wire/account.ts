/** The account, and the caller's identity. */
import { Type } from "@sinclair/typebox";
import { time } from "./words.ts";

export const User = Type.Object(
  {
    id: Type.String(),
    email: Type.String(),
    name: Type.String(),
    created_at: time(),
    paused: Type.Boolean({ description: "Outbound mail of all agents is frozen." }),
  },
  { $id: "User" },
);

export const Me = Type.Object({
  ...User.properties,
  scope: Type.Unsafe<"account" | "agent">({ type: "string", enum: ["account", "agent"] }),
  agent: Type.Union([Type.String(), Type.Null()], { description: "The one agent that the calling key may use." }),
});
