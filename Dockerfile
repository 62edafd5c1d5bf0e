# The program on a base with nothing but glibc and certificates: no shell, not root. The first stage runs on the machine that
# builds, and compiles for the platform of the image, so another platform needs no emulator.
#
#   docker build --tag eventbus .
#   docker run --publish 9800:9800 --volume eventbus:/data eventbus --allow-anonymous
#
# In a container it listens on every address, and there it does not start for just anybody: either let everybody in, as
# above, or make the first token, which is printed once, and leave the flag out from then on:
#
#   docker run --rm --volume eventbus:/data eventbus token create admin --admin

FROM --platform=$BUILDPLATFORM node:20-bookworm-slim AS build
WORKDIR /eventbus
# The packages change rarely: a layer of their own.
COPY package.json package-lock.json .npmrc tsconfig.json ./
COPY scripts scripts
RUN node --eval "import('./scripts/toolchain.mjs').then(({ install }) => install())"
COPY src src
ARG COMMIT=
ARG TARGETARCH
RUN BUILD_COMMIT=$COMMIT npm run build -- $TARGETARCH && mkdir /data

FROM gcr.io/distroless/base-debian12:nonroot
ARG COMMIT=
LABEL org.opencontainers.image.title="eventbus" \
  org.opencontainers.image.description="An event bus in one binary: curl publishes, a WebSocket subscribes, every event stays in a SQLite history." \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="0.1.0" \
  org.opencontainers.image.revision="$COMMIT"
COPY --from=build --chown=65532:65532 /data /data
COPY LICENSE THIRD_PARTY_LICENSES /usr/share/doc/eventbus/
COPY --from=build /eventbus/dist/eventbus /usr/local/bin/eventbus
ENV EVENTBUS_HOST=0.0.0.0 EVENTBUS_DB=/data/eventbus.db
USER 65532:65532
VOLUME /data
EXPOSE 9800
# It asks where the variables say that the server listens, over TLS if they say so. It does not see the flags of the command:
# set the port and the certificate by EVENTBUS_PORT, EVENTBUS_TLS_CERT and EVENTBUS_TLS_KEY.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["eventbus", "healthcheck"]
ENTRYPOINT ["eventbus"]
