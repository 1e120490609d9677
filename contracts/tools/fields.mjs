// Every field of an event and of a transaction's calldata, as the ABIs have them; `--check` fails when it differs
// from event-fields.txt, so that no field reaches the chain without the list changing with it.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const listFile = path.join(root, "event-fields.txt");
const contracts = ["Accounts", "Records", "Consent", "Receipts", "Keepers", "Forwarder", "Authority"];
const head = `# What can reach the chain: no direct identifiers, no plaintext hash; pseudonymous data (docs/on-chain.md). Written by tools/fields.mjs.
# Contract.Event.field: type, and Contract.function().field: type for calldata.
`;

const isTransaction = (e) => e.type === "function" && ["nonpayable", "payable"].includes(e.stateMutability);

const lines = [];
function put(prefix, inputs) {
  for (const input of inputs) {
    if (input.components) put(`${prefix}.${input.name}${input.type.slice("tuple".length)}`, input.components);
    else lines.push(`${prefix}.${input.name}: ${input.type}${input.indexed ? " indexed" : ""}`);
  }
}
for (const name of contracts) {
  const { abi } = JSON.parse(fs.readFileSync(path.join(root, "abi", `${name}.json`), "utf8"));
  for (const entry of abi.filter((e) => e.type === "event")) put(`${name}.${entry.name}`, entry.inputs);
  for (const entry of abi.filter(isTransaction)) {
    put(`${name}.${entry.name}()`, entry.inputs);
  }
}
const text = head + lines.join("\n") + "\n";

if (process.argv.includes("--write")) {
  fs.writeFileSync(listFile, text);
} else {
  const listed = new Set(fs.readFileSync(listFile, "utf8").split("\n"));
  const found = new Set(text.split("\n"));
  const missing = [...found].filter((line) => !listed.has(line));
  const stale = [...listed].filter((line) => !found.has(line));
  for (const line of missing) console.error(`not on the list: ${line}`);
  for (const line of stale) console.error(`on the list, but gone: ${line}`);
  process.exitCode = missing.length + stale.length ? 1 : 0;
}
