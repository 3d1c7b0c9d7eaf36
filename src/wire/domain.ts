/** A domain, with the records to publish for it. */
import { Type } from "@sinclair/typebox";
import { oneOf, time } from "./words.ts";

const name = Type.String({ description: "The whole name of the record." });
/** The form that DNS providers ask for, as in zone files (RFC 1035 5.1). */
const apex = Type.String({ description: "`@`: the domain itself. `name` is its whole name." });
const record = Type.Object({ host: Type.String(), name, value: Type.String() });
const recordNames = ["mx", "txt", "dkim", "dkim_ed25519", "spf", "dmarc"] as const;

export const Domain = Type.Object(
  {
    domain: Type.String(),
    verified: Type.Boolean(),
    verification_token: Type.String({ description: "Empty for the server's own domain." }),
    dns_records: Type.Object({
      mx: Type.Object({ host: apex, name, value: Type.String(), priority: Type.Integer() }),
      txt: Type.Optional(Type.Object({ host: apex, name, value: Type.String() })),
      spf: record,
      dmarc: record,
      dkim: Type.Optional(record),
      dkim_ed25519: Type.Optional(record),
    }),
    created_at: time(),
    verified_at: Type.Optional(time()),
    degraded_at: Type.Optional(time("The time since which published records are missing; `checks` says which.")),
    paused: Type.Boolean({ description: "Outbound mail of all its agents is frozen." }),
    checks: Type.Optional(
      Type.Array(
        Type.Object({
          record: oneOf(...recordNames),
          status: oneOf("ok", "missing", "mismatch"),
          found: Type.Optional(Type.Array(Type.String(), { description: "What is published instead." })),
          error: Type.Optional(Type.String({ description: "Why DNS did not answer." })),
          advice: Type.Optional(Type.String({ description: "What to do about it." })),
          merged: Type.Optional(
            Type.String({
              description:
                "The value to publish in place of everything that was found: the existing records and ours combined.",
            }),
          ),
          suggested_domain: Type.Optional(
            Type.String({ description: "A domain to use for agents, if this one receives its mail elsewhere." }),
          ),
          lookups: Type.Optional(
            Type.Integer({ description: "DNS look-ups of the SPF record, merged if there is one; 11: more than 10." }),
          ),
        }),
      ),
    ),
  },
  { $id: "Domain" },
);
