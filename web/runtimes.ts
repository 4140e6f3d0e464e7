import type { WebDevice } from "../shared/encoder/sessions/web.ts";
import type { AssetFile } from "./download.ts";

/** Put in by the bundler: see build/runtimes.ts. Part of the script, because script and runtime must be of one version. */
declare const packedRuntimes: Readonly<Record<WebDevice, AssetFile>>;

/** The compressed runtimes that this build comes with. Their `file` is relative to the assets' folder. */
export const runtimes = packedRuntimes;
