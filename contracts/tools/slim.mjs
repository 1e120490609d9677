// Copies {contractName, abi, bytecode, deployedBytecode} of each deployed contract from out/ to abi/.
// `--check` writes nothing and fails when a committed file differs.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const contracts = ["Accounts", "Records", "Consent", "Receipts", "Keepers", "Forwarder", "Authority"];
const check = process.argv.includes("--check");
let stale = 0;

for (const name of contracts) {
  const built = JSON.parse(fs.readFileSync(path.join(root, "out", `${name}.sol`, `${name}.json`), "utf8"));
  const slim = {
    contractName: name,
    abi: built.abi,
    bytecode: built.bytecode.object,
    deployedBytecode: built.deployedBytecode.object,
  };
  const text = JSON.stringify(slim, null, 1) + "\n";
  const file = path.join(root, "abi", `${name}.json`);
  if (!check) {
    fs.writeFileSync(file, text);
  } else if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== text) {
    console.error(`abi/${name}.json differs from its source: run npm run build and commit it`);
    stale += 1;
  }
}
process.exitCode = stale ? 1 : 0;
