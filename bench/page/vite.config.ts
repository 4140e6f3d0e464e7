import { derivedPage } from "../../web/build/derived-page.ts";

/** Configuration of the page that runs the compared methods. */
export default derivedPage(import.meta.url, "../../dist/bench/page");
