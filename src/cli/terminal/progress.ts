/** The progress of a large upload, shown on standard error if it is a terminal. */
import type { PostOptions } from "../../../sdks/typescript/src/index.ts";
import type { Io } from "./io.ts";
import { size } from "./output.ts";

/** Smaller requests are sent before the user could read a line about them. */
const SHOWN_FROM_BYTES = 1_000_000;

export interface Progress {
  /** Absent if standard error is not a terminal. */
  onUpload?: PostOptions["onUpload"];
  /** Removes the line. */
  end(): void;
}

/** Draws one line over itself, at most once per percent. */
export function uploadProgress({ stderr }: Io): Progress {
  if (!stderr.isTTY) return { end() {} };
  let shown = "";
  const draw = (line: string) => {
    if (line === shown) return;
    stderr.write(`\r${line.padEnd(shown.length)}`);
    shown = line;
  };
  return {
    onUpload(sentBytes, totalBytes) {
      if (totalBytes < SHOWN_FROM_BYTES) return;
      const percent = Math.floor((100 * sentBytes) / totalBytes);
      if (percent === 100) draw(`Sent ${size(totalBytes)}, waiting for the answer…`);
      else if (!shown.endsWith(` ${percent}%`)) draw(`Sending ${size(sentBytes)} of ${size(totalBytes)}, ${percent}%`);
    },
    end() {
      if (shown) stderr.write(`\r${" ".repeat(shown.length)}\r`);
      shown = "";
    },
  };
}
