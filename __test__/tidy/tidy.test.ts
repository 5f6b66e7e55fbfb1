/** The rules of the house as tests: arrows between parts, sizes, opening comments, no orphan files. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import ts from "typescript";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const RUST_FILE_LINES = 500;
const RUST_FUNCTION_LINES = 80;
const TS_FILE_LINES = 300;
const TS_FUNCTION_LINES = 60;

/** For each part, the parts it may import; `types` marks arrows that only types may take. */
const tsArrows: Record<string, { parts: string[]; types?: string[] }> = {
  support: { parts: [] },
  gateway: { parts: ["support"], types: ["native"] },
  native: { parts: ["support"] },
  voice: { parts: ["gateway", "native", "support"] },
  simulator: { parts: ["support"], types: ["gateway"] },
  node: { parts: ["voice", "support"], types: ["native", "gateway"] },
  cli: { parts: ["node", "simulator", "voice", "native", "support"] },
  index: { parts: ["voice", "gateway", "native", "support"] },
};

/** Plain tables of wire constants that the simulator and the gateway share as values. */
const sharedTables = new Set(["ts/gateway/opcodes.ts"]);

const rustArrows: Record<string, string[]> = {
  proto: [],
  dave: ["proto"],
  audio: [],
  engine: ["audio", "dave", "proto"],
  binding: ["engine"],
  testkit: ["proto"],
};

/** Rust files that are one table of data, exempt from the size limit. */
const rustTables = new Set<string>();

test("TypeScript imports follow the arrows of the house", (t) => {
  const wrong: string[] = [];
  for (const file of tracked("ts/*.ts")) {
    const from = partOf(file);
    for (const edge of importsOf(file)) {
      const to = partOf(edge.target);
      if (to === from || sharedTables.has(edge.target)) continue;
      const rule = tsArrows[from];
      const allowed = rule?.parts.includes(to) || (edge.typeOnly && rule?.types?.includes(to));
      if (!allowed) wrong.push(`${file} imports ${edge.target}`);
    }
  }
  t.deepEqual(wrong, []);
});

test("only ts/native imports the generated binding", (t) => {
  const wrong = tracked("ts/*.ts", "__test__/*.ts")
    .filter((file) => !file.startsWith("ts/native/"))
    .filter((file) => /from "[^"]*native\/generated/.test(read(file)));
  t.deepEqual(wrong, []);
});

test("crates depend only on the crates the house allows", (t) => {
  for (const [crate, allowed] of Object.entries(rustArrows)) {
    const manifest = read(`crates/${crate}/Cargo.toml`);
    const dependencies = manifest.split(/^\[dependencies\]$/m)[1]?.split(/^\[/m)[0] ?? "";
    const used = [...dependencies.matchAll(/^cadenza-(\w+)/gm)].map((match) => match[1] ?? "");
    t.deepEqual(
      used.filter((name) => !allowed.includes(name)),
      [],
      crate,
    );
  }
});

test("napi is named by the binding crate alone", (t) => {
  const others = tracked("crates/**/Cargo.toml", "crates/**/*.rs").filter(
    (file) => !file.startsWith("crates/binding/"),
  );
  t.deepEqual(
    others.filter((file) => /\bnapi\b/.test(read(file)) && /^(use napi|napi)/m.test(read(file))),
    [],
  );
});

test("files stay small", (t) => {
  const limit = (file: string): number => (file.endsWith(".rs") ? RUST_FILE_LINES : TS_FILE_LINES);
  const large = tracked("crates/**/*.rs", "ts/**/*.ts")
    .filter((file) => !file.startsWith("ts/native/generated/") && !rustTables.has(file))
    .map((file) => ({ file, lines: read(file).split("\n").length - 1 }))
    .filter(({ file, lines }) => lines > limit(file));
  t.deepEqual(large, []);
});

test("TypeScript functions stay small", (t) => {
  const large: string[] = [];
  for (const file of tracked("ts/**/*.ts")) {
    if (!file.startsWith("ts/native/generated/")) visitFunctions(file, large);
  }
  t.deepEqual(large, []);
});

test("Rust functions stay small", (t) => {
  const large: string[] = [];
  for (const file of tracked("crates/**/*.rs")) {
    for (const { name, lines } of rustFunctions(read(file))) {
      if (lines > RUST_FUNCTION_LINES) large.push(`${file}: ${name} has ${lines} lines`);
    }
  }
  t.deepEqual(large, []);
});

test("every file says in its first line what it is for", (t) => {
  const silent = tracked(
    "crates/**/*.rs",
    "fuzz/**/*.rs",
    "ts/**/*.ts",
    "__test__/**/*.ts",
    "scripts/*",
    "examples/**/*.ts",
    "benchmark/**/*.ts",
  )
    .filter((file) => /\.(rs|ts|mjs)$/.test(file) && !file.startsWith("ts/native/generated/"))
    .filter((file) => !/^(#!.*\n)?(\/\/!|\/\/ |\/\*\*)/.test(read(file)));
  t.deepEqual(silent, []);
});

test("every Rust file belongs to a module tree", (t) => {
  const orphans = tracked("crates/*/src/**/*.rs").filter((file) => {
    const name = file.split("/").pop() ?? "";
    if (["lib.rs", "main.rs"].includes(name)) return false;
    const isModFile = name === "mod.rs";
    const folder = isModFile ? dirname(dirname(file)) : dirname(file);
    const module = isModFile ? (dirname(file).split("/").pop() ?? "") : name.replace(/\.rs$/, "");
    const parents = [`${folder}/mod.rs`, `${folder}/lib.rs`, `${folder}.rs`];
    return !parents.some((parent) => declares(parent, module));
  });
  t.deepEqual(orphans, []);
});

function declares(parent: string, module: string): boolean {
  try {
    return new RegExp(`^\\s*(pub(\\([^)]*\\))? )?mod ${module};`, "m").test(read(parent));
  } catch {
    return false;
  }
}

function visitFunctions(file: string, large: string[]): void {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  const lineOf = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) {
      const lines = lineOf(node.end) - lineOf(node.getStart(source)) + 1;
      if (lines > TS_FUNCTION_LINES)
        large.push(`${file}:${lineOf(node.getStart(source)) + 1} has ${lines} lines`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

/** Rust functions by indentation: from a line that begins `fn` to the closing brace in its column. */
function* rustFunctions(text: string): Generator<{ name: string; lines: number }> {
  const lines = text.split("\n");
  for (const [start, line] of lines.entries()) {
    const found =
      /^(\s*)(?:pub(?:\([^)]*\))? )?(?:const |async |unsafe |extern "C" )*fn (\w+)/.exec(line);
    if (!found) continue;
    const end = lines.indexOf(`${found[1]}}`, start);
    const oneLine = /[;}]\s*$/.test(line);
    if (!oneLine && end > start) yield { name: found[2] ?? "", lines: end - start + 1 };
  }
}

function* importsOf(file: string): Generator<{ target: string; typeOnly: boolean }> {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue;
    const specifier = statement.moduleSpecifier;
    if (!specifier || !ts.isStringLiteral(specifier) || !specifier.text.startsWith(".")) continue;
    const typeOnly = ts.isImportDeclaration(statement)
      ? statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      : statement.isTypeOnly;
    yield { target: relative(root, resolve(root, dirname(file), specifier.text)), typeOnly };
  }
}

function partOf(file: string): string {
  const [, first = ""] = file.split("/");
  return first.replace(/\.ts$/, "");
}

function tracked(...patterns: string[]): string[] {
  const globs = patterns.map(
    (pattern) => `:(glob)${pattern.replace(/^ts\/\*\.ts$/, "ts/**/*.ts")}`,
  );
  const output = execFileSync("git", ["ls-files", "-z", "--", ...globs], {
    cwd: root,
    encoding: "utf8",
  });
  return output.split("\0").filter((file) => file !== "");
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}
