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

globalThis.SwaggerUIBundle({
  url: "/swagger/json",
  dom_id: "#swagger-ui",
  plugins: [onlyWhatEnds],
  // Would ask a server on the internet.
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 2,
});
