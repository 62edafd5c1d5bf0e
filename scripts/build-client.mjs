// Builds what `eventbus/client` is outside of this repository: `dist/client/index.js`, one ES module for browsers, Bun
// and Node from 20 on, and its type declarations in `dist/client/types`. Run it with Node or Bun, from anywhere.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bun, root } from "./toolchain.mjs";

const entry = join(root, "src/client/index.ts");

/** Builds into this folder, which is emptied first. Needs the packages. */
export function buildClient(folder = join(root, "dist/client")) {
  rmSync(folder, { recursive: true, force: true });
  run(bun(), ["build", entry, "--target=browser", "--format=esm", `--outfile=${join(folder, "index.js")}`]);
  declareTypes(join(folder, "types"));
}

function declareTypes(folder) {
  const temporary = mkdtempSync(join(tmpdir(), "eventbus-types-"));
  const project = join(temporary, "tsconfig.json");
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: join(root, "src"),
    outDir: folder,
    // Users of the types need only what is named here.
    lib: ["ES2022", "DOM", "DOM.Iterable"],
    types: [],
  };
  const settings = { extends: join(root, "tsconfig.json"), compilerOptions, include: [], files: [entry] };
  writeFileSync(project, JSON.stringify(settings));
  try {
    run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", project]);
  } finally {
    rmSync(temporary, { recursive: true });
  }
  for (const path of readdirSync(folder, { recursive: true })) {
    if (path.endsWith(".d.ts")) importJavaScript(join(folder, path));
  }
}

/** The compiler leaves `./event.ts` in the declarations, which it cannot resolve in every configuration. */
function importJavaScript(file) {
  writeFileSync(file, readFileSync(file, "utf8").replace(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
}

function run(command, args) {
  execFileSync(command, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) buildClient();
