/** API keys and signing secrets. */
import { Type } from "@sinclair/typebox";
import { nullable, oneOf, time } from "./words.ts";

const key = {
  id: Type.String(),
  name: Type.String(),
  scope: oneOf("account", "agent"),
  agent: nullable(Type.String(), "The one agent that a key of scope `agent` may use."),
  key_prefix: Type.String(),
  created_at: time(),
  expires_at: nullable(time()),
  last_used_at: nullable(time("To the minute.")),
};

export const ApiKey = Type.Object(key, { $id: "ApiKey" });
export const NewApiKey = Type.Object(
  { ...key, key: Type.String({ description: "Shown only in this answer." }) },
  { $id: "NewApiKey" },
);

const secret = {
  id: Type.String(),
  name: Type.String(),
  secret_prefix: Type.String(),
  created_at: time(),
  last_signed_at: Type.Optional(time()),
};

export const SigningSecret = Type.Object(secret, { $id: "SigningSecret" });
export const NewSigningSecret = Type.Object(
  { ...secret, secret: Type.String({ description: "Shown only in this answer." }) },
  { $id: "NewSigningSecret" },
);
