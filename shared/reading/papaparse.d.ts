/** What csv.ts takes of it. Its own types need those of Node and of the DOM. */
declare module "papaparse" {
  interface ParseError {
    readonly type: "Quotes" | "Delimiter" | "FieldMismatch";
    /** Where the faulty field begins, in UTF-16 code units. */
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
