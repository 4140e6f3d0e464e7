import type { Remote } from "comlink";
import type { Answer } from "../../shared/search/answer.ts";
import type { ModelState, SearchService } from "../search-worker.ts";
import { find } from "./elements.ts";
import type { PageState, PageStore } from "./state.ts";

const deviceNames = { wasm: "WASM", webgpu: "WebGPU" };

/** The line that tells what is loading, and then what ran where and how long it took. */
export function mountStatus(store: PageStore, service: Promise<Remote<SearchService>>): void {
  const status = find("#status", HTMLElement);
  const message = find(".message", HTMLElement, status);
  const download = find(".download", HTMLElement, status);
  const bar = find("progress", HTMLProgressElement, status);
  const bytes = find(".bytes", HTMLElement, status);
  const again = find("button", HTMLButtonElement, status);

  again.addEventListener("click", async () => {
    const opened = await service.catch(() => null);
    // Without the worker there is nothing to ask: the page starts anew.
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
    bytes.textContent = bytesText(model);
    bar.setAttribute("aria-valuetext", bytes.textContent);
  });

  store.watch(["model", "query", "answer", "searchProblem"], (state) => {
    const text = statusText(state);
    // Written only when it is new: each change is read aloud.
    if (message.textContent !== text) message.textContent = text;
  });
}

function statusText({ model, query, answer, searchProblem }: Pick<PageState, "model" | "query" | "answer" | "searchProblem">): string {
  const answered = answer?.query === query ? answer : null;
  if (answered) return [answerText(answered, model), model.phase === "ready" ? "" : modelText(model)].filter(Boolean).join(" ");
  if (model.phase === "failed") return modelText(model);
  if (query === "") return modelText(model);
  if (searchProblem) return searchProblem;
  return model.phase === "ready" ? "Searching" : `${modelText(model)} Your search is answered as soon as it is here.`;
}

function modelText(model: ModelState): string {
  if (model.phase === "failed") return model.message;
  if (model.phase === "ready")
    return [
      `Ready on ${deviceText(model)}. From here on it works offline.`,
      model.reason && `${model.reason}.`,
      !model.kept && "This browser has not kept the model: the next visit will download it again.",
    ]
      .filter(Boolean)
      .join(" ");
  if (model.total > 0 && model.loaded >= model.total) return "Starting the model.";
  return model.stored > 0 && model.stored === model.loaded ? "Reading the model, which this browser has kept." : "Loading the model.";
}

function answerText({ results, mode, embedTime, scanTime }: Answer, model: ModelState): string {
  const count = results.length === 1 ? "1 passage" : `${results.length} passages`;
  if (mode === "words") return `${count} in ${milliseconds(scanTime)}, by words alone.`;
  if (embedTime === null) return `${count} in ${milliseconds(scanTime)}, by vectors that came with the page.`;
  return `${count} in ${milliseconds(embedTime + scanTime)}${model.phase === "ready" ? ` on ${deviceText(model)}` : ""}.`;
}

function deviceText({ device, workers }: Extract<ModelState, { phase: "ready" }>): string {
  return `${deviceNames[device]}${workers === 1 ? "" : ` with ${workers} workers`}`;
}

/** What has come, and where from. */
function bytesText({ loaded, total, stored }: Extract<ModelState, { phase: "loading" }>): string {
  const cached = stored === 0 ? "" : stored === loaded ? ", from cache" : `, ${megabytes(stored)} of them from cache`;
  return `${megabytes(loaded)} of ${megabytes(total)} MB${cached}`;
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

const milliseconds = (time: number) => (time < 1 ? "under 1 ms" : `${Math.round(time)} ms`);
