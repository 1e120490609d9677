// Foundry's own programs. The wrappers of the npm packages end with status 0 whatever happened, so they are passed by.
// As a command: `node tools/foundry.mjs forge test …` ends with the program's own status.
import path from "node:path";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** The path of forge, anvil or cast for this platform. */
export function foundry(tool) {
  const arch = { x64: "amd64", arm64: "arm64" }[process.arch];
  const suffix = process.platform === "win32" ? ".exe" : "";
  const file = `@foundry-rs/${tool}-${process.platform}-${arch}/bin/${tool}${suffix}`;
  return createRequire(import.meta.url).resolve(file);
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [tool, ...args] = process.argv.slice(2);
  const { status, error } = spawnSync(foundry(tool), args, { stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
}
