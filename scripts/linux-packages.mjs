// Makes a .deb and an .rpm of a compiled program in dist/linux/, with nfpm, which must be in PATH or named by
// NFPM_PATH. The first argument is the program (default dist/eventbus, which is compiled first), the second the
// architecture (amd64, arm64).
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { MAINTAINER } from "./names.mjs";
import { build, program, root, say } from "./toolchain.mjs";

const [given, arch = "amd64"] = process.argv.slice(2);
await build();
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const folder = join(root, "dist", "linux");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "eventbus.service"), unit());
writeFileSync(join(folder, "eventbus.1.gz"), gzipSync(manual()));
for (const shell of ["bash", "zsh", "fish"])
  writeFileSync(join(folder, `eventbus.${shell}`), ask("completions", shell));
const env = {
  ...process.env,
  NFPM_ARCH: arch,
  NFPM_VERSION: version,
  NFPM_MAINTAINER: process.env.NFPM_MAINTAINER ?? MAINTAINER,
  NFPM_PROGRAM: given ?? program,
  NFPM_FOLDER: folder,
};
for (const packager of ["deb", "rpm"]) {
  const flags = ["package", "--config", "packages/linux/nfpm.yaml", "--packager", packager, "--target", folder];
  execFileSync(process.env.NFPM_PATH || "nfpm", flags, { cwd: root, env, stdio: ["ignore", "ignore", "inherit"] });
  say(`made the .${packager} for ${arch}`);
}

/** The unit of deploy/, with the program and the settings of the package. */
function unit() {
  return readFileSync(join(root, "deploy", "eventbus.service"), "utf8")
    .replace(/^#.*\n(#.*\n)*\n/, "")
    .replace(/^#LoadCredential=.*$/m, "LoadCredential=eventbus.toml:/etc/eventbus/eventbus.toml")
    .replace(
      /^ExecStart=.*$/m,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: systemd substitutes the folders.
      "ExecStart=/usr/bin/eventbus serve --config ${CREDENTIALS_DIRECTORY}/eventbus.toml --db ${STATE_DIRECTORY}/eventbus.db",
    );
}

/** A manual page, made from the program's own help. */
function manual() {
  const help = (...command) =>
    ask(...command, "--help")
      .replace(/\\/g, "\\\\")
      .replace(/^([.'])/gm, "\\&$1");
  const commands = [...ask("--help").matchAll(/^ {2}(\w+)/gm)]
    .map(([, name]) => name)
    .filter((name) => name !== "help");
  const sections = commands.map((name) => `.SH "eventbus ${name}"\n.nf\n${help(name)}.fi\n`);
  return `.TH EVENTBUS 1 "" "eventbus ${version}"\n.SH NAME\neventbus \\- an event bus in one binary\n.SH SYNOPSIS\n.nf\n${help()}.fi\n${sections.join("")}`;
}

/** What the program of this machine says: the one in the package may be for another. */
function ask(...args) {
  return execFileSync(program, args, { encoding: "utf8" });
}
