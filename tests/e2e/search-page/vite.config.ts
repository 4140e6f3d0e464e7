import { derivedPage } from "../../../web/build/derived-page.ts";

/** The site's configuration for a page that only opens the search's worker. */
export default derivedPage(import.meta.url, "../../../dist/e2e/search-page");
