#!/usr/bin/env node
// The command-line face that forge expects, in front of npm's solc: `--version` and `--standard-json`.
"use strict";
const fs = require("fs");
const path = require("path");
const solc = require(path.join(__dirname, "..", "node_modules", "solc"));

const args = process.argv.slice(2);
if (args.includes("--version")) {
  const version = solc.version().replace(".Emscripten.clang", ".Linux.g++");
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
} else if (args.includes("--standard-json")) {
  const roots = [""];
  args.forEach((arg, i) => {
    if (arg === "--base-path" || arg === "--include-path") roots.push(args[i + 1]);
  });
  const read = (name) => {
    for (const root of roots) {
      const file = path.resolve(root, name);
      if (fs.existsSync(file)) return { contents: fs.readFileSync(file, "utf8") };
    }
    return { error: `not found: ${name}` };
  };
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8"), { import: read }));
} else {
  process.stderr.write("only --version and --standard-json are supported\n");
  process.exitCode = 1;
}
