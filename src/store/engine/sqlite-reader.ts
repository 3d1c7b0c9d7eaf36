import { Database } from "bun:sqlite";
import { schema } from "../schema.ts";
import type { Scope, Verb } from "./engine.ts";
import { unavailable } from "./failures.ts";
import { sqliteKit } from "./kit.ts";
import { diskRefusal } from "./sqlite-fault.ts";
import { BUSY_TIMEOUT_MS, readsOn, scopeFor } from "./sqlite-scope.ts";

/** A connection that only reads. */
export interface Reader {
  /** Runs a verb that only reads, in one snapshot. */
  read<R>(verb: (s: Scope) => Verb<R>): Promise<R>;
  close(): void;
}

/**
 * Opens a database for reading while this process has it open for writing elsewhere. It sees every commit that has
 * resolved. Close it before the writer, which empties the log only if it is the last connection.
 *
 * @throws StartRefused if a file cannot be opened
 */
export function openSqliteReader(path: string): Reader {
  const client = open(path);
  const read = readsOn(client, scopeFor(client, schema(sqliteKit)));
  let closed = false;
  return {
    async read(verb) {
      if (closed) throw unavailable(new Error("the store is closed"));
      return read(verb);
    },
    close() {
      closed = true;
      client.close();
    },
  };
}

function open(path: string): Database {
  try {
    const client = new Database(path, { readonly: true });
    client.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    client.exec("PRAGMA temp_store = MEMORY");
    return client;
  } catch (error) {
    throw diskRefusal(error, path) ?? error;
  }
}
