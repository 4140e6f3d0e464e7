import { EncoderError } from "../../shared/errors.ts";

/** Throws `load_failed` outside secure contexts, where browsers provide neither SHA-256 nor Cache Storage. */
export function requireSecureContext(): void {
  if (isSecureContext) return;
  throw new EncoderError(
    "load_failed",
    "A model can be verified and stored only in a secure context: open the page over https or on localhost",
  );
}

/** Files that a browser stores for the next visit. No method rejects: a file that cannot be stored is fetched again. */
export interface AssetStore {
  /** Null if no such file is stored. */
  get(key: string): Promise<Blob | null>;
  /** Resolves with whether the file is stored: the quota may be exceeded, or there is no storage. */
  put(key: string, blob: Blob): Promise<boolean>;
  /** Deletes all other files. */
  keepOnly(keys: readonly string[]): Promise<void>;
}

/**
 * Opens the store of one folder of assets in Cache Storage. Without Cache Storage, the store stays empty.
 * @param cacheName name of the cache. Nested folders need different caches.
 * @example
 * const store = await openAssetStore(new URL("./assets/", location.href));
 * await store.put("model.onnx", blob);
 */
export async function openAssetStore(folder: URL, cacheName = "samevec"): Promise<AssetStore> {
  const urlOf = (key: string) => new URL(key, folder).href;
  try {
    const cache = await caches.open(cacheName);
    return {
      get: async (key) => (await cache.match(urlOf(key)).catch(() => undefined))?.blob().catch(() => null) ?? null,
      put: (key, blob) =>
        cache.put(urlOf(key), new Response(blob)).then(
          () => true,
          () => false,
        ),
      async keepOnly(keys) {
        const kept = new Set(keys.map(urlOf));
        for (const { url } of await cache.keys().catch(() => [])) {
          // The cache may contain files of other folders.
          if (url.startsWith(folder.href) && !kept.has(url)) await cache.delete(url).catch(() => false);
        }
      },
    };
  } catch {
    return { get: async () => null, put: async () => false, keepOnly: async () => {} };
  }
}
