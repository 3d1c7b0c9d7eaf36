/** The settings of an agent's gate: what it holds, what it lets pass, and which reviewers are told. */
import { Type } from "@sinclair/typebox";
import { readAllowEntry } from "../../../approval/gate.ts";
import { PATTERNS_MAX, readPattern } from "../../../approval/patterns.ts";
import type { GateRules } from "../../../mail.ts";
import { readMailbox } from "../../../message/addresses.ts";
import type { Store } from "../../../store/store.ts";
import { type Complain, flag, invalid, list, orNull, text, whole } from "../../framework/input.ts";

/** Reviewers besides the account's own address. */
const REVIEWERS_MAX = 5;
const ALLOWED_MAX = 200;
/** The upper bound of the rule; the server limits the recipients of a message separately. */
const RULE_RECIPIENTS_MAX = 1_000;
const UNDO_SECONDS_MAX = 120;
/** An address with a display name around it. */
const ENTRY_CHARS_MAX = 1_000;

const gateRules = Type.Object(
  {
    outside: Type.Optional(flag({ description: "A recipient is not an agent of this account." })),
    first_time: Type.Optional(
      flag({
        description: "A recipient that the agent has neither written to nor received verified mail from.",
      }),
    ),
    max_recipients: Type.Optional(whole(1, RULE_RECIPIENTS_MAX, { description: "There are more recipients." })),
    attachments: Type.Optional(flag()),
    new_links: Type.Optional(
      flag({ description: "A link to a host that a recipient has not seen in the conversation." }),
    ),
    unverified: Type.Optional(
      flag({ description: "The conversation or a recipient has mail from an unverified sender." }),
    ),
    unsearched: Type.Optional(
      flag({ description: "A part that cannot be searched for patterns and links: binary, encrypted or too large." }),
    ),
    patterns: Type.Optional(
      list(text({ max: ENTRY_CHARS_MAX }), PATTERNS_MAX, {
        description: "`secrets` (API keys, private keys), or words with `*` for anything.",
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      "Mail that matches any of these is held; any rule switches the gate on. null, or no rule, holds everything.",
  },
);

export const gateMembers = {
  hitl_rules: Type.Optional(orNull(gateRules)),
  hitl_allow: Type.Optional(
    list(text({ max: ENTRY_CHARS_MAX }), ALLOWED_MAX, {
      description: "Addresses and whole domains. Mail only to these is not held.",
    }),
  ),
  hitl_reviewers: Type.Optional(
    list(text({ max: ENTRY_CHARS_MAX }), REVIEWERS_MAX, {
      description: "Addresses that get mail about held messages, in addition to the account's own.",
    }),
  ),
  undo_seconds: Type.Optional(
    whole(0, UNDO_SECONDS_MAX, { description: "How long a message can be cancelled before it leaves." }),
  ),
};

/** Reports errors that the members' schemas cannot express. */
export function checkGate(
  given: { hitl_rules?: GateRules | null; hitl_allow?: string[]; hitl_reviewers?: string[] },
  complain: Complain,
): void {
  for (const [i, pattern] of (given.hitl_rules?.patterns ?? []).entries()) {
    const wrong = readPattern(pattern);
    if (wrong) complain(`hitl_rules.patterns.${i}`, wrong.problem);
  }
  readAllowed(given.hitl_allow, complain);
  readReviewers(given.hitl_reviewers, complain);
}

/**
 * Returns the same addresses. Failure `invalid_request` names those that agents of this server read: such an agent
 * could approve its own messages.
 */
export async function outsiders(store: Store, sharedDomain: string, reviewers: string[]): Promise<string[]> {
  const found = await Promise.all(reviewers.map((address) => store.findMailbox(address, sharedDomain)));
  const errors = found.flatMap(({ kind }, i) =>
    kind === "foreign"
      ? []
      : [
          {
            field: `hitl_reviewers.${i}`,
            message: `is ${reviewers[i]}, on this server: a reviewer's mail goes elsewhere`,
          },
        ],
  );
  if (errors.length > 0) throw invalid(errors, "Give an address that no agent of this server can read.");
  return reviewers;
}

/** The list as it is stored, without duplicates. */
export function readAllowed(given: string[] = [], complain: Complain = () => {}): string[] {
  return distinctOf(given, readAllowEntry, (i, problem) => complain(`hitl_allow.${i}`, problem));
}

/** Bare addresses, without duplicates. */
export function readReviewers(given: string[] = [], complain: Complain = () => {}): string[] {
  const read = (text: string) => {
    const one = readMailbox(text);
    return "problem" in one ? one : { entry: one.mailbox.address };
  };
  return distinctOf(given, read, (i, problem) => complain(`hitl_reviewers.${i}`, problem));
}

function distinctOf(
  given: string[],
  read: (text: string) => { entry: string } | { problem: string },
  complain: (i: number, problem: string) => void,
): string[] {
  const entries = given.flatMap((text, i) => {
    const one = read(text);
    if ("entry" in one) return [one.entry];
    complain(i, one.problem);
    return [];
  });
  return [...new Set(entries)];
}
