import { childCommand } from "../../src/tasks/child-command.ts";
import { silentLog } from "../../src/util/log.ts";
import { createPool, type Pool } from "../../src/workers/pool.ts";

let shared: Pool | null = null;

/** The child processes of this test process. All its servers share them, and they end with the process. */
export function testPool(): Pool {
  shared ??= createPool({ command: childCommand(), log: silentLog, size: 1 });
  return shared;
}
