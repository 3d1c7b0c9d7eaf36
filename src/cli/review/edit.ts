/** Edits a held mail in the user's editor, up to its approval. */
import { htmlFromText } from "../../message/html/from-text.ts";
import { serverFailure } from "../connect/failure.ts";
import type { Session } from "../connect/session.ts";
import type { MailEdit, Outbound } from "../connect/shapes.ts";
import { write } from "../terminal/io.ts";
import { plain } from "../terminal/output.ts";
import { confirm, key } from "../terminal/prompts.ts";
import { unifiedDiff } from "./diff.ts";
import { type Draft, draftOf, draftText, editOf, parseDraft } from "./draft.ts";
import { editText } from "./editor.ts";

const advice = [
  "Change recipients, subject and text; save, and leave the editor.",
  "An empty file leaves the mail as it is, undecided.",
];

/**
 * Opens the editor until the mail is valid and `approve` has taken the changes ({} for none). Complaints, including the
 * server's about the changes, are at the top of the file. Null if the user gives up: nothing was decided.
 */
export async function editAndApprove<T>(
  session: Session,
  mail: Outbound,
  approve: (edit: MailEdit) => Promise<T>,
): Promise<T | null> {
  let file = draftText(draftOf(mail), advice);
  for (;;) {
    const edited = await editText(session.io, file);
    if (edited === null || edited.trim() === "") return null;
    const draft = parseDraft(edited);
    let complaints: string[] = [];
    if ("wrong" in draft) complaints = draft.wrong;
    else {
      const edit = await confirmed(session, mail, draft);
      if (edit === "back") return null;
      if (edit !== "again") {
        try {
          return await approve(edit);
        } catch (error) {
          complaints = objections(error);
        }
      }
    }
    file = withRemarks(edited, complaints);
    if (complaints.length > 0 && !(await editAgain(session, complaints))) return null;
  }
}

/** Makes the HTML for a new text, if the mail has HTML and the edit does not set it. */
export function htmlAnew({ body_html: html }: Outbound, { body_text: text, body_html }: MailEdit): MailEdit {
  return html && text !== undefined && body_html === undefined ? { body_html: htmlFromText(text) } : {};
}

/** Shows what changed and asks for confirmation; also asks what to do with the HTML, which the editor did not show. */
async function confirmed(session: Session, mail: Outbound, draft: Draft): Promise<MailEdit | "again" | "back"> {
  const { io, paint } = session;
  const edit = editOf(mail, draft);
  if (Object.keys(edit).length === 0) {
    return (await confirm(io, "Nothing was changed. Approve it as is?", false)) ? {} : "back";
  }
  const before = draftOf(mail);
  const after = { ...draft, text: edit.body_text ?? before.text };
  await write(io.stdout, `\n${unifiedDiff(draftText(before), draftText(after), paint)}\n\n`);
  if (edit.body_text !== undefined && mail.body_html) {
    const question =
      "The mail also has HTML. Regenerate it from the text, without its formatting? (No drops the HTML.)";
    Object.assign(edit, (await confirm(io, question, true)) ? htmlAnew(mail, edit) : { body_html: "" });
  }
  const choice = await key(io, "Approve it with these changes?", [
    { value: "e", label: "Edit again", hint: "Enter" },
    { value: "a", label: "Approve with these changes" },
    { value: "b", label: "Back", hint: "forget the changes" },
  ]);
  return choice === "a" ? edit : choice === "e" ? "again" : "back";
}

async function editAgain({ io, paint }: Session, complaints: string[]): Promise<boolean> {
  await write(io.stdout, `\n${complaints.map((one) => paint("red", `✗ ${plain(one)}`)).join("\n")}\n\n`);
  const choice = await key(io, "The mail cannot be sent like this.", [
    { value: "e", label: "Edit again", hint: "Enter" },
    { value: "b", label: "Back", hint: "forget the changes" },
  ]);
  return choice === "e";
}

/** The user's file with other remarks at the top. */
function withRemarks(file: string, complaints: string[]): string {
  const lines = file.split("\n");
  const first = lines.findIndex((line) => !line.startsWith("#"));
  const remarks = complaints.length > 0 ? complaints : advice;
  return [...remarks.map((remark) => `# ${plain(remark)}`), ...lines.slice(Math.max(first, 0))].join("\n");
}

/** The server's complaints about the changes; throws any other error. */
function objections(error: unknown): string[] {
  const failure = serverFailure(error);
  if (failure?.problem.status !== 400) throw error;
  const { errors = [] } = failure.problem;
  return errors.length > 0 ? errors.map(({ field, message }) => `${field}: ${message}`) : [failure.message];
}
