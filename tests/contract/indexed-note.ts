import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandLine } from "./command-line.ts";

/** A temporary folder with an index of one note, which `samevec index` has written. */
export class IndexedNote {
  readonly folder: string;
  readonly indexFile: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.indexFile = join(folder, "notes.samevec");
  }

  /** Rejects with what the command wrote to stderr if it fails. */
  static async create(): Promise<IndexedNote> {
    const note = new IndexedNote(await mkdtemp(join(tmpdir(), "samevec-note-")));
    await mkdir(join(note.folder, "notes"));
    await writeFile(join(note.folder, "notes", "tides.txt"), "The Moon pulls the water of the oceans.");
    const { code, stderr } = await CommandLine.run(["index", join(note.folder, "notes"), "-o", note.indexFile]);
    if (code !== 0) throw new Error(`samevec index exited with ${code}: ${stderr}`);
    return note;
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }
}
