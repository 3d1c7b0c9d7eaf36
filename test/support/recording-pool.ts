import type { Pool, TaskOptions } from "../../src/workers/pool.ts";
import { testPool } from "./pool.ts";

/** The tests' child processes, with a record of the tasks that they were given. */
export function recordingPool(): Pool & { readonly tasks: ({ name: string } & TaskOptions)[] } {
  const pool = testPool();
  const tasks: ({ name: string } & TaskOptions)[] = [];
  return {
    ...pool,
    tasks,
    run(name, input, blobs, options) {
      tasks.push({ name, ...options });
      return pool.run(name, input, blobs, options);
    },
    // Other servers of the test process use them, too.
    close: async () => {},
  };
}
