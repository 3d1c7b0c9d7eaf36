/** An attachment of a message, without its bytes. */
import { Type } from "@sinclair/typebox";

export const Attachment = Type.Object(
  {
    index: Type.Integer(),
    filename: Type.String(),
    content_type: Type.String(),
    size: Type.Integer({ description: "Decoded, in bytes." }),
    content_id: Type.Optional(Type.String()),
  },
  { $id: "Attachment" },
);
