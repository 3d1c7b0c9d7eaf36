/** Opens a page in the user's browser. */
import type { Io } from "../terminal/io.ts";

/** Starts the browser without waiting for it. False if there is none to start. */
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
    // There is no such program.
    return false;
  }
}

function programOf({ env, platform }: Io): string[] | null {
  if (env.BROWSER) return [env.BROWSER];
  if (platform === "darwin") return ["open"];
  // Not "start": in cmd, an "&" in the URL would start another command.
  if (platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler"];
  // Without a screen, for example over ssh, this would start a browser in the terminal, or none.
  return env.DISPLAY || env.WAYLAND_DISPLAY || env.WSL_DISTRO_NAME ? ["xdg-open"] : null;
}
