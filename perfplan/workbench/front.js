// The workbench's front: controls that read as a scenario is written, and what follows. One request at a time, the latest move wins.
// Whatever carries the messages (a notebook's kernel, or `perfplan explore`) hands over `model`: get, send, on. All text is set as text;
// markup comes from perfplan alone, which has escaped what it shows.

const PARTS = ["verdict", "changed", "pinned", "probability", "times", "load", "used", "parts", "fleet"];
const LETTERS = "ABCDEFGH";

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

class Bench {
  constructor(model, el) {
    this.model = model;
    this.state = {};
    this.past = [];
    this.future = [];
    this.pins = [];
    this.rows = new Map();
    this.move = 0; // the latest
    this.waits = null; // id of what is asked and not answered
    this.turning = false;
    this.opened = model.get("opened");
    this.handlers = new Map();
    model.on("msg:custom", (answer) => this.answered(answer));
    this.draw(el);
    this.opened.controls.forEach((one) => this.addControl(one));
    this.ask();
  }

  // ---- the page ----

  draw(el) {
    const opened = this.opened;
    this.root = make("div", { class: "workbench" });
    this.status = make("p", { class: "status", role: "status", "aria-live": "polite" });
    this.errors = make("div", { class: "errors", role: "alert" });
    this.controls = make("div", { class: "controls" });
    this.undoButton = make("button", { type: "button", onclick: () => this.undo() }, "Undo");
    this.redoButton = make("button", { type: "button", onclick: () => this.redo() }, "Redo");
    const restart = make("button", { type: "button", onclick: () => this.go({}) }, "Back to the start");
    const pin = make("button", { type: "button", onclick: () => this.pin() }, "Pin this state");
    this.pinned = make("ul", { class: "pins", "aria-label": "Pinned states" });
    this.parts = Object.fromEntries(PARTS.map((name) => [name, make("div", { class: `part ${name}` })]));
    this.parts.changed.setAttribute("aria-live", "polite");
    const side = make("section", { class: "side", "aria-label": "What is stated" },
      make("div", { class: "row" }, this.undoButton, this.redoButton, restart), this.controls, this.search(), this.saving());
    const results = make("section", { class: "results", "aria-label": "What follows" },
      this.status, this.errors, this.parts.verdict, this.parts.changed,
      make("div", { class: "row" }, pin, this.pinned), this.parts.pinned,
      make("div", { class: "figures" }, ...PARTS.slice(3, 8).map((name) => this.parts[name])), this.parts.fleet);
    this.root.append(make("h1", {}, `Explore ${opened.name}`), make("div", { class: "bench" }, side, results));
    this.root.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && event.target.type !== "text") {
        event.preventDefault();
        event.shiftKey ? this.redo() : this.undo();
      }
    });
    el.append(this.root);
    this.buttons();
  }

  search() {
    const id = `fields-${Math.random().toString(36).slice(2)}`;
    const list = make("datalist", { id });
    for (const [path, help] of this.opened.fields) list.append(make("option", { value: path, label: help }));
    this.searchError = make("p", { class: "error", role: "alert" });
    const field = make("input", { type: "text", list: id, autocomplete: "off", placeholder: "any field, such as tiers.api.price" });
    field.addEventListener("change", () => {
      const path = field.value.trim();
      if (!path) return;
      if (this.rows.has(path)) this.rows.get(path).text.focus();
      else this.send({ ask: "control", path }, (answer) => {
        this.searchError.textContent = answer.errors.map((one) => `${one.path} ${one.message}`).join("; ");
        if (answer.control) {
          this.addControl(answer.control).text.focus();
          field.value = "";
        }
      });
    });
    return make("div", { class: "search" }, make("label", {}, "Add a field ", field), list, this.searchError);
  }

  saving() {
    this.saved = make("p", { class: "saved", role: "status" });
    const name = make("input", { type: "text", value: "explored.yaml", "aria-label": "File to save as" });
    const save = (options) => () => {
      const states = options ? this.pins : [{ name: "this state", state: this.state }];
      this.send({ ask: "save", name: name.value, states, options }, (answer) => {
        this.saved.textContent = answer.saved
          ? `Written: ${answer.saved}, beside ${this.opened.file}. To plan it: perfplan plan ${answer.path}`
          : answer.errors.map((one) => one.message).join("; ");
      });
    };
    this.asOptions = make("button", { type: "button", onclick: save(true) }, "Save pinned states as options");
    return make("div", { class: "saving" }, make("label", {}, "Keep as ", name),
      make("div", { class: "row" }, make("button", { type: "button", onclick: save(false) }, "Save as scenario"), this.asOptions), this.saved);
  }

  // ---- controls ----

  addControl(control) {
    const error = make("p", { class: "error", role: "alert" });
    const text = make("input", { type: "text", class: "value", value: control.stated, "aria-label": `${control.label}, as a scenario states it` });
    const back = make("button", { type: "button", class: "back", "aria-label": `${control.label} back to ${control.stated}`, title: `back to ${control.stated}` }, "↺");
    const row = { control, text, error, back, sliders: [] };
    const box = make("div", { class: "control", title: control.help }, make("span", { class: "label" }, control.label), text, back);
    const last = control.stops.length - 1;
    if (last > 0) {
      const ends = control.low === control.high ? [["", control.low]] : [[" from", control.low], [" to", control.high]];
      const track = make("div", { class: ends.length > 1 ? "track two" : "track" });
      const at = (stop) => `calc(0.5rem + (100% - 1rem) * ${stop / last})`;
      const mark = make("span", { class: "today", "aria-hidden": "true" });
      mark.style.left = at(control.low);
      mark.style.width = `calc((100% - 1rem) * ${(control.high - control.low) / last} + 2px)`;
      track.append(mark);
      ends.forEach(([word, stop], i) => {
        const slider = make("input", { type: "range", min: 0, max: last, step: 1, "aria-label": control.label + word });
        slider.value = stop;
        slider.setAttribute("aria-valuetext", control.stops[stop]);
        slider.addEventListener("input", () => this.slid(row, i));
        slider.addEventListener("change", () => { this.turning = false; });
        row.sliders.push(slider);
        track.append(slider);
      });
      box.append(track, make("div", { class: "span", "aria-hidden": "true" }, make("span", {}, control.stops[0]), make("span", {}, control.stops[last])));
    }
    box.append(error);
    text.addEventListener("change", () => this.set(control.path, text.value.trim() === control.stated ? "" : text.value.trim()));
    back.addEventListener("click", () => this.set(control.path, ""));
    this.controls.append(box);
    this.rows.set(control.path, row);
    this.show(row);
    return row;
  }

  slid(row, i) {
    const { control, sliders } = row;
    const at = sliders.map((one) => Number(one.value));
    if (at.length > 1 && at[0] > at[1]) at[1 - i] = at[i];
    sliders.forEach((one, k) => { one.value = at[k]; });
    const [low, high] = [at[0], at[at.length - 1]];
    const same = low === control.low && high === control.high;
    const text = same ? "" : low === high ? control.stops[low] : `${control.stops[low]} to ${control.stops[high]}`;
    this.set(control.path, text, true);
  }

  show(row) {
    const { control, text, sliders, back } = row;
    const now = this.state[control.path];
    text.value = now ?? control.stated;
    back.hidden = now === undefined;
    const ends = now === undefined ? [control.stops[control.low], control.stops[control.high]] : now.split(" to ");
    sliders.forEach((one, i) => {
      const stop = control.stops.indexOf(ends[Math.min(i, ends.length - 1)]);
      if (stop >= 0) one.value = stop;
      one.setAttribute("aria-valuetext", control.stops[Number(one.value)]);
    });
  }

  // ---- moves ----

  set(path, text, turning = false) {
    const next = { ...this.state };
    if (text) next[path] = text;
    else delete next[path];
    if (JSON.stringify(next) === JSON.stringify(this.state)) return;
    this.go(next, turning && this.turning);
    this.turning = turning;
  }

  go(next, same = false) {
    if (!same) this.past.push(this.state);
    this.future = [];
    this.become(next);
  }

  become(next) {
    this.state = next;
    this.rows.forEach((row) => this.show(row));
    this.buttons();
    this.ask();
  }

  undo() {
    if (!this.past.length) return;
    this.future.push(this.state);
    this.become(this.past.pop());
  }

  redo() {
    if (!this.future.length) return;
    this.past.push(this.state);
    this.become(this.future.pop());
  }

  buttons() {
    this.undoButton.disabled = !this.past.length;
    this.redoButton.disabled = !this.future.length;
    if (this.asOptions) this.asOptions.disabled = !this.pins.length;
  }

  pin() {
    const name = [...LETTERS].find((one) => !this.pins.some((other) => other.name === one));
    if (!name) return;
    this.pins.push({ name, state: { ...this.state } });
    this.drawPins();
    this.ask();
  }

  drawPins() {
    this.pinned.replaceChildren(...this.pins.map((one) => {
      const name = make("input", { type: "text", value: one.name, size: 8, "aria-label": `Name of pinned state ${one.name}` });
      name.addEventListener("change", () => {
        const wanted = name.value.trim();
        if (wanted && !this.pins.some((other) => other !== one && other.name === wanted)) one.name = wanted;
        this.drawPins();
        this.ask();
      });
      const back = make("button", { type: "button", onclick: () => this.go({ ...one.state }) }, "show");
      const drop = make("button", { type: "button", "aria-label": `Unpin ${one.name}`, onclick: () => {
        this.pins = this.pins.filter((other) => other !== one);
        this.drawPins();
        this.ask();
      } }, "×");
      return make("li", {}, name, back, drop);
    }));
    this.buttons();
  }

  // ---- asking ----

  send(request, then) {
    const id = `${Date.now()}-${Math.random()}`;
    this.handlers.set(id, then);
    this.model.send({ ...request, id });
  }

  ask() {
    this.move += 1;
    this.root.dataset.busy = "true";
    this.status.textContent = "Computing …";
    if (this.waits === null) this.step(1);
  }

  step(step) {
    const move = this.move;
    this.waits = move;
    this.send({ ask: "state", state: this.state, pins: this.pins, step }, (answer) => {
      this.waits = null;
      if (move !== this.move) this.step(1); // somebody has moved on: what came is old
      else this.arrived(answer, step);
    });
  }

  arrived(answer, step) {
    this.rows.forEach((row) => { row.error.textContent = ""; });
    const general = [];
    for (const one of answer.errors) {
      const row = this.rows.get(one.path);
      if (row) row.error.textContent = one.message;
      general.push(one.path ? `${one.path} ${one.message}` : one.message);
    }
    this.errors.replaceChildren(...(general.length ? [make("h2", {}, "This state cannot be planned"), ...general.map((one) => make("p", {}, one))] : []));
    for (const name of PARTS) {
      if (general.length) this.parts[name].replaceChildren();
      else if (name in answer.parts) this.parts[name].innerHTML = answer.parts[name];
    }
    if (!general.length && step === 1) {
      this.root.dataset.busy = "some";
      this.step(2);
    } else {
      this.root.dataset.busy = "";
      this.status.textContent = "";
      this.root.dataset.shown = String(this.move);
    }
  }

  answered(answer) {
    const then = this.handlers.get(answer.id);
    this.handlers.delete(answer.id);
    if (then) then(answer);
  }
}

export function render({ model, el }) {
  new Bench(model, el);
}

export default { render };
