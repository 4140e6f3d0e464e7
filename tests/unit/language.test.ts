import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isEnglish } from "../../shared/search/language.ts";

const library: { documents: { text: string }[] } = JSON.parse(
  readFileSync(new URL("../../web/library/documents.json", import.meta.url), "utf8"),
);

test("prose, tables, lists, program code and very short texts count as English", () => {
  for (const { text } of library.documents) expect(isEnglish(text)).toBe(true);
  for (const file of ["shared/index/segment.ts", "package.json", "bench/results/ratios.json", "README.md"]) {
    const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    for (const piece of text.match(/[\s\S]{1,600}/g) ?? []) expect(isEnglish(piece)).toBe(true);
  }
  for (const text of ["", "42, 17.5, 1931-04-02", "Doris", "Zürich HB", "😀😀😀", "東 means east"]) expect(isEnglish(text)).toBe(true);
});

test.each([
  ["German", "Die Wärmepumpe im Keller lief die ganze Nacht, und am Morgen war das Haus trotzdem kalt. Wir haben den Techniker gerufen."],
  ["Dutch", "De warmtepomp draaide de hele nacht, maar in de ochtend was het huis koud. We belden de monteur, die twee uur later kwam."],
  ["French", "La pompe à chaleur a fonctionné toute la nuit, mais la maison était froide au matin. Nous avons appelé le technicien."],
  ["Spanish", "La bomba de calor funcionó toda la noche y la casa estaba fría por la mañana. Llamamos al técnico."],
  ["Polish", "Pompa ciepła działała całą noc, ale rano w domu było zimno. Zadzwoniliśmy do technika."],
  ["Russian", "Тепловой насос работал всю ночь, но утром в доме было холодно. Мы позвонили мастеру."],
  ["Chinese", "热泵整夜运行，但早上房子很冷。我们打电话给技术员。"],
  ["Japanese", "ヒートポンプは一晩中動いていましたが、朝は家が寒かったです。"],
])("%s text does not count as English", (_, text) => {
  expect(isEnglish(text)).toBe(false);
});
