# The binary, built from source, in a small image.
#
#   docker build -t e2a .
#   docker run -p 2525:2525 -p 8080:8080 -v e2a:/data e2a
#
# Every setting can come as an environment variable (config.yaml.example names them), for secrets also as
# <variable>_FILE, or from a file mounted at /etc/e2a/config.yaml.
ARG BUN_VERSION=1.4.5

FROM oven/bun:${BUN_VERSION} AS build
WORKDIR /e2a
# Packages first: this layer stays as long as they do.
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --ignore-scripts
COPY tsconfig.json ./
COPY docs docs
COPY migrations migrations
COPY scripts scripts
COPY src src
COPY web web
RUN bun scripts/build.ts

FROM debian:bookworm-slim
RUN useradd --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin e2a \
  && install --directory --owner=e2a --group=e2a --mode=0700 /data
COPY --from=build /e2a/dist/e2a /usr/local/bin/e2a
# A container is reached from outside it only; which ports are open to whom is decided by `-p`.
ENV E2A_DATA_DIR=/data \
  E2A_SMTP_LISTEN_ADDR=:2525 \
  E2A_HTTP_LISTEN_ADDR=:8080
VOLUME /data
EXPOSE 2525 8080
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
ENTRYPOINT ["/usr/local/bin/e2a"]
CMD ["serve"]
