/** `e2a check`: says whether a mail would be held. */
import { Command } from "commander";
import { CliError, exitCode } from "../connect/failure.ts";
import { openSession, type Session } from "../connect/session.ts";
import type { Forecast } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { plain, table } from "../terminal/output.ts";
import { type MailFlags, mailOptions, readMail } from "./send.ts";

export function checkCommand(io: Io): Command {
  const command = new Command("check")
    .summary("see whether a mail would be held")
    .description(
      "Takes what send takes and sends nothing: says whether the mail would leave at once or wait for approval, and why. Ends with 3 when it would wait.",
    );
  mailOptions(command).action(async (flags: MailFlags, command: Command) => {
    const session = await openSession(io, command);
    const mail = await readMail(session, flags);
    const forecast = await session.client.agents.check(mail.from, mail);
    await session.show(forecast, () => forecastText(session, forecast));
    if (forecast.decision === "hold") throw new CliError("", { exit: exitCode.held, code: "held" });
  });
  return example(command, ["e2a check --to bob@example.com --subject Hello --body 'Good morning.'"]);
}

function forecastText({ paint, width }: Session, { decision, hold, recipients }: Forecast): string {
  const reason = plain(hold?.reason ?? "It waits for a person's approval.");
  const line =
    decision === "hold"
      ? `${paint("yellow", "!")} Would be held: ${reason}`
      : `${paint("green", "✓")} Would be sent at once.`;
  const lines = table<Forecast["recipients"][number]>(
    [
      { title: "RECIPIENT", value: ({ address }) => address },
      { title: "BY", value: ({ method }) => method ?? "" },
      {
        title: "KNOWN",
        value: ({ first_time }) => (first_time ? "first time" : "yes"),
        style: ({ first_time }) => (first_time ? "yellow" : null),
      },
    ],
    recipients,
    { width, paint },
  );
  return `${line}\n\n${lines}`;
}
