# The Node service with its model inside: docker build -t samevec . && docker run -p 3000:3000 samevec
# The version of Node is the one that the tests run on. The digest is that of the image for all platforms.
ARG NODE_IMAGE=node:20.20.2-bookworm-slim@sha256:2cf067cfed83d5ea958367df9f966191a942351a2df77d6f0193e162b5febfc0

FROM ${NODE_IMAGE} AS build
WORKDIR /samevec
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# The service serves the model from models/. The site's copy of it is for static hosts.
RUN npm run build && rm -rf dist/web/models

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /samevec
COPY package.json package-lock.json .npmrc ./
# The runtime's package brings its binaries for every platform.
RUN npm ci --omit=dev \
  && rm -rf node_modules/onnxruntime-node/bin/napi-v*/darwin node_modules/onnxruntime-node/bin/napi-v*/win32

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=3000
WORKDIR /samevec
COPY --from=dependencies /samevec/node_modules node_modules
COPY package.json LICENSE ./
COPY models/bge-small-en-v1.5 models/bge-small-en-v1.5
COPY --from=build /samevec/dist/api dist/api
COPY --from=build /samevec/dist/engine dist/engine
COPY --from=build /samevec/dist/shared dist/shared
COPY --from=build /samevec/dist/web dist/web
# node, by number: so that a cluster can tell that it is not root.
USER 1000:1000
EXPOSE 3000
# 200 while the model loads, 503 once it could not be loaded. It reads PORT: set the port by `-e PORT=…`, not by `serve --port`.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without a shell between, so that SIGTERM reaches the service.
ENTRYPOINT ["node", "dist/api/cli/main.js"]
CMD ["serve"]
