import { Type } from "@sinclair/typebox";

const ignored = (why: string) => Type.Optional(Type.Integer({ description: `Has no effect: ${why}.` }));

/**
 * Members without effect that clients of the original send all the same, with the reason for each. Every other member
 * that a schema does not name is refused, so that a mistyped safety switch does not pass as if it had been set.
 */
export const ignoredMembers = {
  /** `attachments[]` of an approval: reviewers hand back what `GET /messages/{id}` listed (original SDKs and dashboard). */
  approvedAttachment: {
    index: ignored("the attachment's place in the message that was read"),
    size: ignored("the attachment's size in the message that was read"),
  },
};
