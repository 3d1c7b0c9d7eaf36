import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Shell } from "../testing/shell.ts";

let shell: Shell;
beforeEach(async () => {
  shell = await Shell.open();
});
afterEach(() => shell.close());

// A machine without a shell skips that shell's tests; CI installs all three and must find them.
const bash = Bun.which("bash");

describe.skipIf(bash === null && !process.env.CI)("bash", () => {
  const cases: [typed: string[], offered: string[]][] = [
    [["ag"], ["agents"]],
    [
      ["agents", ""],
      ["register", "list", "show", "update", "delete"],
    ],
    [["agents", "re"], ["register"]],
    [
      ["inbox", "--s"],
      ["--status", "--since"],
    ],
    [["--json", "domains", "ver"], ["verify"]],
    [["read", "--p"], ["--peek"]],
    [["agents", "list", "--u"], ["--url"]],
    [["outb"], ["outbox"]],
    [["mc"], ["mcp"]],
    [["mcp", "--ag"], ["--agent"]],
    [["pending", "a"], ["approve"]],
    [["pending", "approve", "--e"], ["--edit"]],
    [["pause", "--al"], ["--all"]],
    [["che"], ["check"]],
    [["send", "--at"], ["--attach"]],
    [
      ["listen", "--fo"],
      ["--forward", "--forward-token"],
    ],
    [
      ["webhooks", ""],
      ["create", "list", "show", "update", "test", "delete"],
    ],
    [["deliveries", "re"], ["redeliver"]],
    [["events", "--fo"], ["--follow"]],
    [["keys", "create", "--e"], ["--expires"]],
    [["agents", "update", "--webhook-s"], ["--webhook-status"]],
  ];
  for (const [typed, offered] of cases) {
    test(typed.join(" "), async () => {
      const script = join(shell.home, "completion.bash");
      await writeFile(script, (await shell.run(["completion", "bash"])).out);
      const line = `source ${script}; COMP_WORDS=(e2a "$@"); COMP_CWORD=$#; _e2a; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const done = Bun.spawnSync([bash ?? "", "-c", line, "bash", ...typed]);
      expect(done.stderr.toString()).toBe("");
      expect(done.stdout.toString().trim().split("\n")).toEqual(offered);
    });
  }
});

for (const name of ["zsh", "fish"]) {
  const binary = Bun.which(name);
  test.skipIf(binary === null && !process.env.CI)(`${name} accepts its script`, async () => {
    const script = join(shell.home, "script");
    await writeFile(script, (await shell.run(["completion", name])).out);
    const done = Bun.spawnSync([binary ?? "", "-n", script]);
    expect([done.exitCode, done.stderr.toString()]).toEqual([0, ""]);
  });
}
