# The Node.js service with its model: docker build -t samevec . && docker run -p 3000:3000 samevec
# The Node.js version of the tests. The digest is that of the multi-platform image.
ARG NODE_IMAGE=node:20.20.2-bookworm-slim@sha256:2cf067cfed83d5ea958367df9f966191a942351a2df77d6f0193e162b5febfc0

FROM ${NODE_IMAGE} AS build
WORKDIR /samevec
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# The service serves the model from models/. The copy in dist/web is for static hosts.
RUN npm run build && rm -rf dist/web/models

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /samevec
COPY package.json package-lock.json .npmrc ./
# onnxruntime-node contains binaries for all platforms. Only those for Linux are needed.
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
# User `node` by number: Kubernetes can then verify runAsNonRoot.
USER 1000:1000
EXPOSE 3000
# /health returns 200 while the model loads and 503 if loading failed. The check reads PORT: set `-e PORT=…`, not `serve --port`.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Exec form without a shell, so that SIGTERM reaches the service.
ENTRYPOINT ["node", "dist/api/cli/main.js"]
CMD ["serve"]
