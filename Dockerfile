# The player node, from this checkout: `docker build -t cadenza .`
FROM rust:1-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends cmake \
 && rm -rf /var/lib/apt/lists/*
COPY --from=node:24-bookworm-slim /usr/local/bin/node /usr/local/bin/node
COPY --from=node:24-bookworm-slim /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
WORKDIR /src
COPY . .
RUN npm install --no-save --ignore-scripts --no-audit --no-fund \
 && npm run package \
 && mkdir /app \
 && cd /app \
 && npm init --yes >/dev/null \
 && npm install --no-audit --no-fund --ignore-scripts /src/packages/cadenza-*.tgz

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="cadenza" \
      org.opencontainers.image.description="Player node for sound in Discord voice channels" \
      org.opencontainers.image.licenses="MIT"
WORKDIR /app
COPY --from=build /app /app
USER node
# Inside a container only 0.0.0.0 can be reached; the password comes from the environment or the configuration.
ENV NODE_ENV=production \
    CADENZA_HOST=0.0.0.0 \
    CADENZA_PORT=2333
EXPOSE 2333
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.CADENZA_PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "node_modules/cadenza/dist/cli/main.js"]
CMD ["serve"]
