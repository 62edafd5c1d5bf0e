// Builds what `eventbus/client` is outside of this repository: `dist/client/index.js`, one ES module for browsers, Bun
// and Node from 20 on, and its type declarations in `dist/client/types`. Run it with Node or Bun, from anywhere.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const entry = join(root, "src/client/index.ts");
const modules = join(root, "node_modules");

/** Builds into this folder, which is emptied first. */
export function buildClient(folder = join(root, "dist/client")) {
  rmSync(folder, { recursive: true, force: true });
  run(findBun(), ["build", entry, "--target=browser", "--format=esm", `--outfile=${join(folder, "index.js")}`]);
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
    // What is named here is all that users of the types need to have.
    lib: ["ES2022", "DOM", "DOM.Iterable"],
    types: [],
  };
  writeFileSync(
    project,
    JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions, include: [], files: [entry] }),
  );
  try {
    run(process.execPath, [join(modules, "typescript/bin/tsc"), "-p", project]);
  } finally {
    rmSync(temporary, { recursive: true });
  }
  for (const path of readdirSync(folder, { recursive: true })) {
    if (!path.endsWith(".d.ts")) continue;
    const file = join(folder, path);
    // The compiler leaves `./event.ts`, which not every setting of it can follow.
    writeFileSync(file, readFileSync(file, "utf8").replace(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
  }
}

/** The pinned Bun: itself, or the one that npm put into its platform's package. */
function findBun() {
  if (process.versions.bun !== undefined) return process.execPath;
  const platforms = join(modules, "@oven");
  const found = readdirSync(platforms)
    .map((name) => join(platforms, name, "bin", process.platform === "win32" ? "bun.exe" : "bun"))
    .find((path) => existsSync(path) && starts(path));
  if (found === undefined) throw new Error("there is no Bun in node_modules: run npm ci");
  return found;
}

/** Packages for several C libraries may be installed; only one of them runs here. */
function starts(path) {
  try {
    execFileSync(path, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function run(command, args) {
  execFileSync(command, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === realpathSync(fileURLToPath(import.meta.url))) buildClient();
