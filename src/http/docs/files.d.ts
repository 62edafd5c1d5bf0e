// Imported `with { type: "file" }`: the path of a copy, which a compiled binary carries inside itself.
declare module "swagger-ui-dist/swagger-ui-bundle.js" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: a file import has no other kind.
  export default path;
}
declare module "swagger-ui-dist/swagger-ui.css" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: a file import has no other kind.
  export default path;
}
declare module "*/page/start.js" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: a file import has no other kind.
  export default path;
}
declare module "*/page/theme.css" {
  const path: string;
  // biome-ignore lint/style/noDefaultExport: a file import has no other kind.
  export default path;
}
