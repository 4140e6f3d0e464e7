import type { Answer } from "../../shared/search/answer.ts";
import type { ModelState } from "../search/service.ts";
import { find, write } from "./elements.ts";
import { type PageState, type PageStore, type Search, shownCollection } from "./state.ts";
import { count, countOf, megabytes, milliseconds } from "./wording.ts";

const deviceNames = { wasm: "WASM", webgpu: "WebGPU" };

/** The status line: what is loading, then the device and time of the search. */
export function mountStatus(store: PageStore, service: Search): void {
  const status = find("#status", HTMLElement);
  const message = find(".message", HTMLElement, status);
  const download = find(".download", HTMLElement, status);
  const bar = find("progress", HTMLProgressElement, status);
  const bytes = find(".bytes", HTMLElement, status);
  const again = find("button", HTMLButtonElement, status);

  again.addEventListener("click", async () => {
    const opened = await service.catch(() => null);
    // Without the worker only a reload helps.
    if (opened) await opened.load().catch(() => {});
    else location.reload();
  });

  store.watch(["model"], ({ model }) => {
    status.dataset.phase = model.phase;
    again.hidden = model.phase !== "failed";
    download.hidden = model.phase !== "loading" || model.total === 0;
    if (model.phase !== "loading" || model.total === 0) return;
    bar.max = model.total;
    bar.value = model.loaded;
    write(bytes, bytesText(model));
    bar.setAttribute("aria-valuetext", bytes.textContent);
  });
  store.watch(["model", "query", "answer", "searchProblem", "collections", "chosen"], (state) => write(message, statusText(state)));
}

type StatusState = Pick<PageState, "model" | "query" | "answer" | "searchProblem" | "collections" | "chosen">;

function statusText(state: StatusState): string {
  const { model, query, answer, searchProblem } = state;
  const answered = answer?.query === query ? answer : null;
  if (searchProblem) return searchProblem;
  if (answered)
    return [answerText(answered, model), coverageText(state), model.phase === "ready" ? "" : modelText(model)].filter(Boolean).join(" ");
  if (model.phase === "failed" || query === "") return modelText(model);
  return model.phase === "ready" ? "Searching" : `${modelText(model)} Results follow as soon as it is loaded.`;
}

/** The state of the model. */
export function modelText(model: ModelState): string {
  if (model.phase === "failed") return model.message;
  if (model.phase === "ready")
    return [
      `Ready on ${deviceText(model)}. It works offline from now on.`,
      model.reason && `${model.reason}.`,
      !model.kept && "This browser did not store the model: the next visit downloads it again.",
    ]
      .filter(Boolean)
      .join(" ");
  if (model.total > 0 && model.loaded >= model.total) return "Starting the model.";
  return model.stored > 0 && model.stored === model.loaded ? "Reading the model from this browser's storage." : "Loading the model.";
}

function answerText({ hits, mode, embedTime, scanTime }: Answer, model: ModelState): string {
  const passages = count(hits.length, "passage");
  if (mode === "keyword") return `${passages} in ${milliseconds(scanTime)}, by keyword only.`;
  if (embedTime === null) return `${passages} in ${milliseconds(scanTime)}, with precomputed vectors.`;
  return `${passages} in ${milliseconds(embedTime + scanTime)}${model.phase === "ready" ? ` on ${deviceText(model)}` : ""}.`;
}

/** The coverage of semantic search, until it is complete. */
function coverageText(state: StatusState): string {
  const collection = shownCollection(state);
  if (!collection || collection.coverage.done >= collection.coverage.total) return "";
  const { done, total } = collection.coverage;
  return `${countOf(done, total, "passage")} embedded.`;
}

function deviceText({ device, workers }: Extract<ModelState, { phase: "ready" }>): string {
  return `${deviceNames[device]}${workers === 1 ? "" : ` with ${workers} workers`}`;
}

/** The progress and source of the download. */
function bytesText({ loaded, total, stored }: Extract<ModelState, { phase: "loading" }>): string {
  const cached = stored === 0 ? "" : stored === loaded ? ", from cache" : `, ${megabytes(stored)} of them from cache`;
  return `${megabytes(loaded)} of ${megabytes(total)} MB${cached}`;
}
