/** Comlink ships the types of this module under a name that TypeScript does not resolve. */
declare module "comlink/dist/esm/node-adapter.mjs" {
  export { default, type NodeEndpoint } from "comlink/dist/esm/node-adapter";
}
