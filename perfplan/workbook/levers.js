// The levers: what was computed for the page is looked up; nothing is asked of anybody.
const levers = document.getElementById("what-if");
if (levers) {
  const known = JSON.parse(document.getElementById("levers").textContent);
  const stored = document.getElementById("levers-figure"), picture = JSON.parse(stored.textContent);
  const plot = document.querySelector(".lead + .plot"), planned = { figure: plot.dataset.fig, name: plot.getAttribute("aria-label") };
  const caption = plot.previousElementSibling.querySelector("small"), captions = [caption.textContent, known.caption];
  const [load, count] = ["load", "count"].map(name => document.getElementById(`lever-${name}`));
  const back = document.getElementById("as-planned"), says = document.getElementById("what-if-says");
  const headlines = [...document.querySelectorAll(".three > div")].slice(0, 2).map(div => [div.querySelector(".n"), div.lastElementChild, div.firstElementChild]);
  const kept = headlines.map(pair => pair.map(node => [...node.childNodes]));
  const percent = p => p < 0.01 ? "under 1\u00a0%" : p > 0.99 ? "over 99\u00a0%" : `${Math.round(p * 100)}\u00a0%`;
  const month = index => index === null ? "later" : known.names[index];
  const amount = i => i === known.forecast ? "as forecast" : `${known.loads[i] > 1 ? "+" : "\u2212"}${Math.abs(Math.round((known.loads[i] - 1) * 1000) / 10)}\u00a0%`;
  const number = i => `${known.counts[i]}${i === known.today ? ", as today" : ""}`;

  const at = () => [+load.value, count ? +count.value : 0];
  const start = () => load.value == known.forecast && (!count || count.value == known.today);

  // The picture: demand by the load, the dashed line and P by both.
  const moved = (l, c) => {
    const times = known.loads[l], p = known.p[c][l].map(one => one / 1000), figure = structuredClone(picture);
    for (const trace of figure.data) {
      if (trace.meta === "load") {
        trace.y = trace.y.map(y => y * times);
        if (trace.customdata) trace.customdata = trace.customdata.map(row => row.map(y => y * times));
      }
      if (trace.meta === "kept") trace.y = [known.kept[c], known.kept[c]];
      if (trace.meta === "p") trace.y = p;
    }
    for (const note of figure.layout.annotations) {
      if (note.text === "kept") {
        const top = figure.layout.yaxis.range[1], rps = known.kept[c] ?? Infinity;
        Object.assign(note, { text: known.kept_text[c], y: Math.min(rps, top), yanchor: rps < top ? "bottom" : "top" });
      }
    }
    return JSON.stringify(figure);
  };

  const show = () => {
    const [l, c] = at(), still = start();
    for (const [slider, text] of [[load, amount(l)], [count, number(c)]]) if (slider) {
      slider.setAttribute("aria-valuetext", text);
      slider.nextElementSibling.textContent = text;
    }
    back.disabled = still;
    caption.textContent = captions[+!still];
    document.documentElement.toggleAttribute("data-moved", !still);
    if (still) {
      plot.dataset.fig = planned.figure;
      plot.setAttribute("aria-label", planned.name);
      headlines.forEach((pair, i) => pair.forEach((node, k) => node.replaceChildren(...kept[i][k])));
      says.textContent = "";
    } else {
      const p = known.p[c][l].map(one => one / 1000), last = p.length - 1, [early, middle, late] = known.when[c][l].map(month);
      const label = known.labels[known.out[c][l]], never = known.when[c][l][1] === null;
      const state = [amount(l) === "as forecast" ? "load as forecast" : `load ${amount(l)}`, count && `${known.label} ${number(c)}`].filter(Boolean).join(", ");
      const first = p.findIndex(one => one < known.asked);
      const value = document.createElement("span"), broken = p[last] < known.asked;
      value.append(`${percent(p[0])} \u2192 `, Object.assign(document.createElement("span"), { className: broken ? "broken" : "", textContent: percent(p[last]) }));
      headlines[0][2].textContent = "P(every promise holds), as moved";
      headlines[1][2].textContent = "Runs out first, as moved";
      headlines[0][0].replaceChildren(value);
      headlines[0][1].textContent = `now \u2192 ${month(last)}; ${state}`;
      headlines[1][0].replaceChildren(never ? "nothing" : label);
      headlines[1][1].textContent = never ? `in half of all worlds nothing runs out within ${known.names.length - 1} months` : `${middle} (P5\u2013P95 ${early} \u2026 ${late}); ${state}`;
      const breaks = first < 0 ? `Every promise holds with ${percent(known.asked)} or more until ${month(last)}` : `The promises hold with ${percent(p[first])} (\u00b1 ${known.errors[c][l]} points by sampling) in ${month(first)}, the first month with less than ${percent(known.asked)}`;
      says.textContent = `${breaks}; ${never ? "nothing runs out" : `first runs out: ${label}, ${middle}`}.`;
      plot.setAttribute("aria-label", `${state}: ${says.textContent}`);
      stored.textContent = moved(l, c);
      plot.dataset.fig = stored.id;
    }
    if (drawn.has(plot)) draw(plot);
  };

  for (const slider of [load, count]) slider?.addEventListener("input", show);
  const reset = () => { load.value = known.forecast; if (count) count.value = known.today; show(); };
  back.addEventListener("click", reset);
  // On paper stands what was planned.
  let before;
  addEventListener("beforeprint", () => { before = at(); reset(); });
  addEventListener("afterprint", () => { [load.value] = before; if (count) count.value = before[1]; show(); });
  levers.hidden = false;
  reset();
}
