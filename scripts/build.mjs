import { build } from "./toolchain.mjs";

await build();
