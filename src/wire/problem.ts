/** The body of every failed request's answer (RFC 9457). */
import { Type } from "@sinclair/typebox";

export const Problem = Type.Object(
  {
    type: Type.String({ format: "uri-reference" }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: "Stable; branch on it." }),
    fix: Type.Optional(Type.String({ description: "What to do next, in one sentence." })),
    request_id: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ field: Type.String(), message: Type.String() }))),
  },
  { $id: "Problem" },
);
