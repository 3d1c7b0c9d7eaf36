import { Type } from "@sinclair/typebox";

const ignored = (why: string) => Type.Optional(Type.Integer({ description: `Has no effect: ${why}.` }));

/**
 * Members without effect that clients of the original still send, with the reason for each. All other members that a
 * schema does not name are refused, so that a mistyped safety setting is not silently ignored.
 */
export const ignoredMembers = {
  /**
   * `attachments[]` of an approval: reviewers return what `GET /messages/{id}` listed (original SDKs and dashboard).
   */
  approvedAttachment: {
    index: ignored("the attachment's place in the message that was read"),
    size: ignored("the attachment's size in the message that was read"),
  },
};
