import { EncoderError } from "../../shared/errors.ts";

/** Throws `load_failed` where the browser neither checks nor keeps files: outside secure contexts. */
export function requireSecureContext(): void {
  if (isSecureContext) return;
  throw new EncoderError(
    "load_failed",
    "Browsers check and store a model in secure contexts alone: open the page over https or on localhost",
  );
}

/** Files that a browser keeps for the next visit. No method rejects: what cannot be kept is fetched again. */
export interface AssetStore {
  /** Null when it is not there. */
  get(key: string): Promise<Blob | null>;
  /** Resolves with whether it is kept: there may be no room, or no storage at all. */
  put(key: string, blob: Blob): Promise<boolean>;
  /** Forgets all but these. */
  keepOnly(keys: readonly string[]): Promise<void>;
}

/**
 * The store in Cache Storage for one folder of assets. One that keeps nothing where a browser has none.
 * @param cacheName of the cache that it is in: folders within each other need one each
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
          // Another folder's files are not ours to judge.
          if (url.startsWith(folder.href) && !kept.has(url)) await cache.delete(url).catch(() => false);
        }
      },
    };
  } catch {
    return { get: async () => null, put: async () => false, keepOnly: async () => {} };
  }
}
