import { join } from "node:path";
import { type App, type Seams, start } from "../../src/app.ts";
import { loadConfig } from "../../src/config.ts";
import { silentLog } from "../../src/util/log.ts";
import { testStoreThreads } from "../store/threads.ts";
import { testPool } from "./pool.ts";
import { tempDir } from "./temp.ts";

export interface Bare extends AsyncDisposable {
  readonly app: App;
}

/** The application as on a first start: no account, and only free ports and its own data folder configured. */
export async function bareApp(options: { set?: Record<string, unknown>; seams?: Partial<Seams> } = {}): Promise<Bare> {
  const dir = await tempDir();
  const flags = {
    data_dir: join(dir.path, "data"),
    "smtp.listen_addr": "127.0.0.1:0",
    "http.listen_addr": "127.0.0.1:0",
    ...options.set,
  };
  const config = loadConfig({ env: {}, cwd: dir.path, root: dir.path, flags });
  const app = await start(config, {
    log: silentLog,
    pool: testPool(),
    storeThreads: testStoreThreads(),
    ...options.seams,
  });
  return {
    app,
    async [Symbol.asyncDispose]() {
      await app.close();
      await dir[Symbol.asyncDispose]();
    },
  };
}
