/** https://wicg.github.io/file-system-access: what Chromium has beyond TypeScript's own declarations. */
interface FileSystemHandle {
  queryPermission(descriptor: { mode: "read" }): Promise<PermissionState>;
}
