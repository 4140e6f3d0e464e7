/** Version in package.json. A test compares them: an edge isolate cannot read the file. */
export const version = "0.1.0";
