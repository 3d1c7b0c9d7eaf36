import { expect, test } from "bun:test";
import { join } from "node:path";
import type { GrowthReport } from "./growth.ts";

/** Linear readers take a tenth of this; others practically never end. */
const killedAfterMs = 600_000;
/** Enough for Bun, the input and the output; a reader whose memory explodes takes gigabytes. */
const memoryBytesMax = 1024 * 1024 * 1024;

test.concurrent.each(["html", "text", "fields", "structures"])(
  "work on hostile input grows as the input does: %s",
  async (group) => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "growth.ts"), group], {
      ...{ stdout: "pipe", stderr: "inherit", timeout: killedAfterMs, killSignal: "SIGKILL" },
    });
    const [output, status] = await Promise.all([child.stdout.text(), child.exited]);
    expect(status).toBe(0);
    const { tried, superlinear, maxRssBytes }: GrowthReport = JSON.parse(output);
    expect(superlinear).toEqual([]);
    expect(tried).toBeGreaterThan(100);
    expect(maxRssBytes).toBeLessThan(memoryBytesMax);
  },
  killedAfterMs + 10_000,
);
