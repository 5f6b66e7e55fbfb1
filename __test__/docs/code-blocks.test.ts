/** The documentation's promises: its TypeScript compiles, its links lead somewhere, its commands exist. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import ts from "typescript";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const pages = execFileSync("git", ["ls-files", "-z", "--", "*.md"], { cwd: root, encoding: "utf8" })
  .split("\0")
  .filter(Boolean);

/** What the package's subpaths mean inside the checkout. */
const PATHS = {
  cadenza: ["./ts/index.ts"],
  "cadenza/node": ["./ts/node/index.ts"],
  "cadenza/simulator": ["./ts/simulator/index.ts"],
  "cadenza/protocol": ["./ts/node/ops/protocol.ts"],
};

test("code blocks in TypeScript and JavaScript compile against the package's types", (t) => {
  const virtual = new Map<string, string>();
  for (const page of pages) {
    for (const { language, code, line } of blocksOf(page)) {
      if (!/^(ts|typescript|js|javascript|mjs)$/.test(language)) continue;
      const name = `${page.replaceAll(/[^\w]/g, "_")}_line_${line}.ts`;
      virtual.set(
        join(root, "docs", name),
        code.includes("import ") ? code : `${code}\nexport {};`,
      );
    }
  }
  t.true(virtual.size > 0);
  t.deepEqual(diagnosticsOf(virtual), []);
});

test("links inside the documentation lead to files and headings that exist", (t) => {
  const broken: string[] = [];
  for (const page of pages) {
    const prose = read(page).replaceAll(/^```[\s\S]*?^```/gm, "");
    for (const [, target = ""] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, file))) broken.push(`${page}: ${target}`);
      else if (anchor && file.endsWith(".md") && !anchorsOf(file).has(anchor))
        broken.push(`${page}: ${target}`);
    }
  }
  t.deepEqual(broken, []);
});

test("npm scripts and files that commands name exist", (t) => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const missing: string[] = [];
  for (const page of pages) {
    for (const { language, code } of blocksOf(page)) {
      if (!/^(sh|bash|console)?$/.test(language)) continue;
      for (const [, script = ""] of code.matchAll(/npm run ([\w:-]+)/g))
        if (!(script in scripts)) missing.push(`${page}: npm run ${script}`);
      for (const [, file = ""] of code.matchAll(/\b((?:ts|scripts|examples)\/[\w./-]+)/g))
        if (!existsSync(join(root, file))) missing.push(`${page}: ${file}`);
    }
  }
  t.deepEqual(missing, []);
});

function diagnosticsOf(virtual: ReadonlyMap<string, string>): string[] {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const settings: ts.CompilerOptions = { ...options, paths: PATHS, noEmit: true };
  const host = ts.createCompilerHost(settings);
  const { getSourceFile, fileExists, readFile } = host;
  host.getSourceFile = (name, target, ...rest) => {
    const code = virtual.get(name);
    if (code === undefined) return getSourceFile.call(host, name, target, ...rest);
    return ts.createSourceFile(
      name,
      code,
      typeof target === "object"
        ? target
        : { languageVersion: target, impliedNodeFormat: ts.ModuleKind.ESNext },
    );
  };
  host.fileExists = (name) => virtual.has(name) || fileExists.call(host, name);
  host.readFile = (name) => virtual.get(name) ?? readFile.call(host, name);
  const program = ts.createProgram([...virtual.keys()], settings, host);
  return ts
    .getPreEmitDiagnostics(program)
    .filter(({ file }) => file && virtual.has(file.fileName))
    .map(({ file, start = 0, messageText }) => {
      const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1;
      const where = file?.fileName.slice(root.length + 6);
      return `${where}, line ${line} of the block: ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
    });
}

interface Block {
  language: string;
  code: string;
  /** Where it begins in its page. */
  line: number;
}

function blocksOf(page: string): Block[] {
  const text = read(page);
  return [...text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```/gm)].map((found) => ({
    language: (found[1] ?? "").trim(),
    code: found[2] ?? "",
    line: text.slice(0, found.index).split("\n").length,
  }));
}

/** The anchors that a page's headings get. */
function anchorsOf(page: string): Set<string> {
  const prose = read(page).replaceAll(/^```[\s\S]*?^```/gm, "");
  const headings = [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, text = ""]) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
  const explicit = [...read(page).matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = ""]) => id);
  return new Set([...headings, ...explicit]);
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}
