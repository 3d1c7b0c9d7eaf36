/** Opens a page in the user's browser. */
import type { Io } from "../terminal/io.ts";

/** Starts the browser and does not wait for it; false when there is none that could be started. */
export function openBrowser(io: Io, url: string): boolean {
  const program = programOf(io);
  if (!program) return false;
  try {
    const child = Bun.spawn([...program, url], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      env: { ...io.env },
    });
    child.unref();
    return true;
  } catch {
    // No such program.
    return false;
  }
}

function programOf({ env, platform }: Io): string[] | null {
  if (env.BROWSER) return [env.BROWSER];
  if (platform === "darwin") return ["open"];
  // Not "start": to cmd an "&" in the address would begin another command.
  if (platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler"];
  // A session without a screen, such as by ssh, would start a browser in the terminal or none.
  return env.DISPLAY || env.WAYLAND_DISPLAY || env.WSL_DISTRO_NAME ? ["xdg-open"] : null;
}
