// Shows /swagger/json with Swagger UI, in the colours that the reader's system asks for.

/** Their responses never end or are not HTTP, so they cannot be tried with a browser's fetch. */
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

/** JSON lines are shown as text: Swagger UI takes them for one JSON string, because their media type ends in json. */
const linesAsText = ({ fn: { getSampleSchema } }) => ({
  fn: {
    getSampleSchema: (schema, mediaType, config, example) =>
      mediaType === "application/x-ndjson" && typeof example === "string"
        ? example
        : getSampleSchema(schema, mediaType, config, example),
  },
});

/** Screen readers stumble where Swagger UI nests controls, or gives one no name, or one that its text contradicts. */
const accessible = ({ React: { createElement } }) => ({
  wrapComponents: {
    // A link inside the button that opens the operation.
    DeepLink:
      () =>
      ({ text }) =>
        createElement("span", null, text),
    InfoContainer: (Original) => (props) =>
      createElement(
        "section",
        { "aria-label": "Introduction" },
        createElement(Original, props),
        createElement("h2", { className: "offscreen" }, "Operations"),
      ),
    authorizationPopup: (Original) => (props) =>
      createElement("div", { role: "dialog", "aria-label": "Authorize" }, createElement(Original, props)),
    ExamplesSelect: (Original) => (props) =>
      createElement(
        "label",
        null,
        createElement("span", { className: "offscreen" }, "Example to show"),
        createElement(Original, props),
      ),
    // The only content of the dialog's close button.
    CloseIcon: (Original) => (props) =>
      createElement("span", { role: "img", "aria-label": "Close" }, createElement(Original, props)),
    // "Apply credentials", on a button that reads "Authorize".
    Button:
      (Original) =>
      ({ "aria-label": _, ...props }) =>
        createElement(Original, props),
  },
});

globalThis.SwaggerUIBundle({
  url: "swagger/json",
  dom_id: "#swagger-ui",
  plugins: [onlyWhatEnds, linesAsText, accessible],
  // The default validator is a server on the internet.
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  // Shows the limits of parameters.
  showCommonExtensions: true,
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
});
