# The program on a base with nothing but glibc and certificates: no shell, not root.
#
#   docker build --tag eventbus .
#   docker run --publish 9800:9800 --volume eventbus:/data eventbus --allow-anonymous
#
# In a container it listens on every address, and there it does not start for just anybody: either let everybody in, as
# above, or make the first token, which is printed once, and leave the flag out from then on:
#
#   docker run --rm --volume eventbus:/data eventbus token create admin --admin

FROM node:20-bookworm-slim AS build
WORKDIR /eventbus
COPY package.json package-lock.json .npmrc tsconfig.json ./
COPY scripts scripts
COPY src src
RUN npm run build && mkdir /data

FROM gcr.io/distroless/base-debian12:nonroot
COPY --from=busybox:1.37-musl /bin/busybox /usr/local/bin/wget
COPY --from=build --chown=65532:65532 /data /data
COPY --from=build /eventbus/dist/eventbus /usr/local/bin/eventbus
ENV EVENTBUS_HOST=0.0.0.0 EVENTBUS_DB=/data/eventbus.db
USER 65532:65532
VOLUME /data
EXPOSE 9800
# Without TLS and on the port above: with --tls-cert or another --port it would call a healthy server ill. There is no shell
# for a --health-cmd, so turn it off with --no-healthcheck, or give Compose a `healthcheck` whose test begins with "CMD".
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["wget", "-q", "-O", "-", "http://127.0.0.1:9800/healthz"]
ENTRYPOINT ["eventbus"]
