// The modules of the widgets for Node, which takes .js without a package.json for CommonJS: they are copied as .mjs.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "lmops", "widgets");
const folder = mkdtempSync(join(tmpdir(), "lmops-"));
for (const name of readdirSync(source, { recursive: true }).filter((one) => one.endsWith(".js"))) {
  const text = readFileSync(join(source, name), "utf8").replaceAll('.js";', '.mjs";');
  const target = join(folder, name.replace(/\.js$/, ".mjs"));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}

/** Import one module by its noun and name: `load("kit/dom")`. */
export const load = (name) => import(pathToFileURL(join(folder, `${name}.mjs`)).href);
