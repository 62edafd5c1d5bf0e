// Shows /swagger/json with Swagger UI, in the colours that the reader's system asks for.

/** Their answers never end, or are no HTTP: a browser's fetch is not the way to try them. */
const NOT_TO_TRY = ["/api/events/stream", "/api/events/subscribe"];

const dark = matchMedia("(prefers-color-scheme: dark)");
const applyColours = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
applyColours();
dark.addEventListener("change", applyColours);

const onlyWhatEnds = () => ({
  statePlugins: {
    spec: {
      wrapSelectors: {
        allowTryItOutFor:
          (original) =>
          (state, path, ...rest) =>
            !NOT_TO_TRY.includes(path) && original(state, path, ...rest),
      },
    },
  },
});

/** A JSON text a line is text. Swagger UI takes it for one JSON string, because the name of its type ends in json. */
const linesAsText = ({ fn: { getSampleSchema } }) => ({
  fn: {
    getSampleSchema: (schema, mediaType, config, example) =>
      mediaType === "application/x-ndjson" && typeof example === "string"
        ? example
        : getSampleSchema(schema, mediaType, config, example),
  },
});

globalThis.SwaggerUIBundle({
  url: "swagger/json",
  dom_id: "#swagger-ui",
  plugins: [onlyWhatEnds, linesAsText],
  // Would ask a server on the internet.
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  // Limits of parameters.
  showCommonExtensions: true,
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
});
