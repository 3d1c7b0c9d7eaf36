import { createStoreThreads, type StoreThreads } from "../../src/store/threads.ts";

let shared: StoreThreads | null = null;

/** The store's threads of this test process: all its servers share them, and they end with it. */
export function testStoreThreads(): StoreThreads {
  shared ??= createStoreThreads();
  return shared;
}
