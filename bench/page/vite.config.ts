import { derivedPage } from "../../web/build/derived-page.ts";

/** The site's configuration for a page that embeds in the ways that are compared. */
export default derivedPage(import.meta.url, "../../dist/bench/page");
