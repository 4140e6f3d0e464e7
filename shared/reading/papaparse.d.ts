/** The part of papaparse that csv.ts uses. Its own types require those of Node.js and the DOM. */
declare module "papaparse" {
  interface ParseError {
    readonly type: "Quotes" | "Delimiter" | "FieldMismatch";
    /** Start of the malformed field, in UTF-16 code units. */
    readonly index?: number;
  }
  const Papa: {
    parse(
      text: string,
      options: { readonly skipEmptyLines: "greedy" },
    ): { readonly data: string[][]; readonly errors: readonly ParseError[] };
  };
  export default Papa;
}
