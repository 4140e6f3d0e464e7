/** What pdf.ts takes of it: its own types need the DOM. */
declare module "pdfjs-dist/legacy/build/pdf.min.mjs" {
  interface TextItem {
    readonly str: string;
    /** Its last two are the place of the beginning of the base line, from the lower left, in points. */
    readonly transform: readonly [number, number, number, number, number, number];
    /** In points, as the next one. */
    readonly width: number;
    readonly height: number;
    readonly hasEOL: boolean;
  }
  interface Page {
    getTextContent(): Promise<{ readonly items: readonly (TextItem | { readonly type: string })[] }>;
    cleanup(): void;
  }
  interface PdfDocument {
    readonly numPages: number;
    getPage(number: number): Promise<Page>;
    getMetadata(): Promise<{ readonly info: { readonly Title?: unknown } }>;
  }
  interface LoadingTask {
    readonly promise: Promise<PdfDocument>;
    destroy(): Promise<void>;
  }
  export function getDocument(source: {
    readonly data: Uint8Array<ArrayBuffer>;
    readonly isEvalSupported: boolean;
    readonly disableFontFace: boolean;
    readonly useSystemFonts: boolean;
    readonly useWorkerFetch: boolean;
    readonly useWasm: boolean;
    readonly isOffscreenCanvasSupported: boolean;
    readonly isImageDecoderSupported: boolean;
    readonly verbosity: number;
  }): LoadingTask;
}

/** PDF.js' own worker. Where it was imported, documents are read on the same thread. */
declare module "pdfjs-dist/legacy/build/pdf.worker.min.mjs";
