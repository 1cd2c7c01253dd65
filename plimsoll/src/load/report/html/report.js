// Makes the plots of a report interactive. The page stands without it: every plot is there as a
// picture, which this replaces by one of the same data that answers to pointer and keyboard.
// Plain script, no library, nothing is loaded.
"use strict";
(() => {
  const SPACE = "\u00a0";
  const SHADES = 8;
  const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600,
    43200, 86400, 172800, 604800];
  const data = JSON.parse(document.getElementById("data").textContent);

  // --- numbers in words; the same rules as in the tables -------------------------------------------
  const short = (v) => v.toFixed(v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2);
  const trimmed = (t) => (t.includes(".") ? t.replace(/\.?0+$/, "") : t);
  const grouped = (v) => String(Math.round(v)).replace(/\B(?=(\d{3})+$)/g, SPACE);
  function latency(s) {
    if (s >= 0.9995) return [short(s), "s"];
    if (s >= 0.0009995) return [short(s * 1e3), "ms"];
    return [short(s * 1e6), "µs"];
  }
  function elapsed(s, span) {
    if (span < 1) return trimmed((s * 1e3).toFixed(3)) + SPACE + "ms";
    if (span < 10) return trimmed(s.toFixed(3)) + SPACE + "s";
    const whole = Math.round(s), two = (n) => String(n).padStart(2, "0");
    const [h, m, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60), whole % 60];
    if (span <= 120) return whole + SPACE + "s";
    return span < 3600 ? `${m}:${two(rest)}` : `${h}:${two(m % 60)}:${two(rest)}`;
  }
  function share(v) {
    const p = v * 100;
    if (v > 0 && p < 0.01) return "<" + SPACE + "0.01" + SPACE + "%";
    return p.toFixed(v === 0 || v === 1 ? 0 : p < 1 || p > 99 ? 2 : 1) + SPACE + "%";
  }
  function percentile(point) {
    const decimals = Math.min(8, Math.max(0, Math.floor(Math.log10(point) + 1e-9) - 2));
    const extra = point > 100 && decimals === 0 ? 1 : 0;
    return trimmed((100 - 100 / point).toFixed(decimals + extra + 1)) + SPACE + "%";
  }
  function inWords(axis, v) {
    switch (axis.unit) {
      case "latency": return latency(v).join(SPACE);
      case "elapsed": return elapsed(v, axis.to);
      case "share": return share(v);
      case "percentile": return percentile(v);
      case "count": return grouped(v);
      default: return v >= 99.95 ? grouped(v) : trimmed(short(v));
    }
  }
  function onTick(axis, v) {
    switch (axis.unit) {
      case "latency": { const [n, u] = latency(v); return v === 0 ? "0" : trimmed(n) + SPACE + u; }
      case "share": return trimmed((v * 100).toFixed(4)) + SPACE + "%";
      case "elapsed": case "percentile": return inWords(axis, v);
      default: return v >= 1000 ? grouped(v) : trimmed(v.toFixed(3));
    }
  }

  // --- axes ----------------------------------------------------------------------------------------
  function roundStep(least) {
    const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-12)));
    return [1, 2, 5, 10].map((f) => f * power).find((s) => s >= least * 0.999999);
  }
  function stepped(from, to, step) {
    const values = [];
    for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-6 && values.length < 40; i++)
      values.push(i * step);
    return values;
  }
  function tickValues(axis, wanted) {
    const { from, to } = axis;
    if (axis.unit === "percentile") {
      const values = [1, 2];
      for (let p = 10; p <= to * 1.000001; p *= 10) values.push(p);
      return values;
    }
    if (axis.logarithmic) {
      const decades = Math.log10(to / from);
      const factors = decades * 3 <= wanted * 1.3 ? [1, 2, 5] : [1];
      const low = Math.floor(Math.log10(from)), every = Math.max(1, Math.ceil(decades / wanted));
      const values = [];
      for (let p = low; p <= Math.ceil(Math.log10(to)); p += every)
        for (const f of factors) {
          const v = f * 10 ** p;
          if (v >= from * 0.999999 && v <= to * 1.000001) values.push(v);
        }
      if (values.length >= 2) return values;
    } else if (axis.unit === "elapsed") {
      const least = (to - from) / wanted;
      return stepped(from, to, least < 1 ? roundStep(least) : TIME_STEPS.find((s) => s >= least) || roundStep(least));
    }
    return stepped(from, to, roundStep((to - from) / wanted));
  }
  function scale(axis, start, end) {
    const forward = axis.logarithmic
      ? (v) => Math.log(Math.max(v, axis.from) / axis.from) / Math.log(axis.to / axis.from)
      : (v) => (v - axis.from) / (axis.to - axis.from);
    const at = (v) => start + Math.min(1, Math.max(0, forward(v))) * (end - start);
    at.free = (v) => start + forward(v) * (end - start);
    at.value = (pixel) => {
      const s = (pixel - start) / (end - start);
      return axis.logarithmic ? axis.from * (axis.to / axis.from) ** s : axis.from + s * (axis.to - axis.from);
    };
    return at;
  }
  const below = (v) => { const p = 10 ** Math.floor(Math.log10(v)); return [5, 2, 1].map((f) => f * p).find((x) => x <= v * 1.000001); };
  const above = (v) => { const p = 10 ** Math.floor(Math.log10(v)); return [1, 2, 5, 10].map((f) => f * p).find((x) => x >= v * 0.999999); };

  // --- drawing -------------------------------------------------------------------------------------
  const NAMESPACE = "http://www.w3.org/2000/svg";
  function draw(parent, name, attributes, text) {
    const element = document.createElementNS(NAMESPACE, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }
  function make(parent, name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }
  const px = (v) => v.toFixed(1);
  const through = (points) =>
    points.length === 1 ? `M${px(points[0][0] - 2)} ${px(points[0][1])}h4`
      : points.map(([x, y], i) => `${i ? "L" : "M"}${px(x)} ${px(y)}`).join("");
  const LINE = { line: "line", thin: "line thin", dashed: "line dashed", area: "edge", stack: "edge" };
  function runs(at, values, x, y) {
    const found = [];
    let run = null;
    at.forEach((v, i) => {
      if (values[i] === null) { run = null; return; }
      if (!run) found.push((run = []));
      run.push([x.free(v), y(values[i])]);
    });
    return found;
  }
  function drawLines(layer, content, shown, x, y) {
    let floor = content.at.map(() => 0);
    // Stacked areas end where no series has a value; a single one without is nothing there.
    const told = content.at.map((_, i) => i).filter((i) => content.series.some((s) => s.values[i] !== null));
    content.series.forEach((series, index) => {
      if (!shown(index)) return;
      if (series.drawn === "stack") {
        const tops = series.values.map((v, i) => (v || 0) + floor[i]);
        const edge = (values) => told.map((i) => [x.free(content.at[i]), y(values[i])]);
        draw(layer, "path", { class: `f${series.colour} stack`, d: through(edge(tops).concat(edge(floor).reverse())) + "Z" });
        floor = tops;
        return;
      }
      const parts = runs(content.at, series.values, x, y);
      if (series.drawn === "area") {
        const filled = parts.map((p) => `${through(p)}L${px(p[p.length - 1][0])} ${px(y.bottom)}L${px(p[0][0])} ${px(y.bottom)}Z`);
        draw(layer, "path", { class: `f${series.colour} area`, d: filled.join("") });
      }
      draw(layer, "path", { class: `s${series.colour} ${LINE[series.drawn]}`, d: parts.map(through).join("") });
    });
  }
  function drawBins(layer, content, shown, x, y) {
    content.series.forEach((series, index) => {
      if (!shown(index)) return;
      const points = [[x(content.edges[0]), y.bottom]];
      series.values.forEach((v, i) => points.push([x(content.edges[i]), y(v || 0)], [x(content.edges[i + 1]), y(v || 0)]));
      points.push([x(content.edges[content.edges.length - 1]), y.bottom]);
      if (series.drawn === "area") draw(layer, "path", { class: `f${series.colour} area`, d: through(points) + "Z" });
      draw(layer, "path", { class: `s${series.colour} ${LINE[series.drawn]}`, d: through(points) });
    });
  }
  function drawHeat(layer, content, x, y) {
    const most = Math.max(1, ...content.columns.map(([, counts]) => Math.max(0, ...counts)));
    const shades = Array.from({ length: SHADES }, () => []);
    content.columns.forEach(([first, counts], i) => {
      const left = x.free(i * content.step), width = x.free((i + 1) * content.step) - left + 0.3;
      counts.forEach((count, offset) => {
        if (!count) return;
        const bottom = y(content.edges[first + offset]), top = y(content.edges[first + offset + 1]);
        const shade = Math.min(SHADES, Math.max(1, Math.ceil((Math.log(1 + count) / Math.log(1 + most)) * SHADES)));
        shades[shade - 1].push(`M${px(left)} ${px(top)}h${px(width)}v${px(bottom - top + 0.3)}h-${px(width)}z`);
      });
    });
    shades.forEach((cells, i) => { if (cells.length) draw(layer, "path", { class: `h${i + 1}`, d: cells.join("") }); });
  }

  // --- one plot ------------------------------------------------------------------------------------
  const timePlots = [];
  let zoom = null; // [from, to] in seconds, of all time plots together
  let identity = 0;

  class Plot {
    constructor(element, figure) {
      this.element = element;
      this.figure = figure;
      this.hidden = new Set();
      this.logarithmic = figure.y.logarithmic;
      this.overTime = figure.x.unit === "elapsed";
      this.cursor = null;
      const canvas = element.querySelector(".canvas");
      canvas.textContent = "";
      this.canvas = canvas;
      this.tools = document.createElement("div");
      this.tools.className = "tools";
      canvas.before(this.tools);
      this.buildLegend();
      this.buildTools();
      this.tip = make(element, "div", "tip");
      this.spoken = make(element, "div", "spoken");
      this.spoken.setAttribute("aria-live", "polite");
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "group");
      canvas.setAttribute("aria-label", figure.title + ". Arrow keys move along the values" +
        (this.overTime ? ", plus and minus zoom, Escape shows all." : "."));
      this.listen();
      this.width = 0;
      new ResizeObserver(() => {
        if (Math.abs(canvas.clientWidth - this.width) > 0.5) this.render();
      }).observe(canvas);
      if (this.overTime) timePlots.push(this);
    }
    get content() { return this.figure.content; }
    shown = (index) => !this.hidden.has(index);

    buildLegend() {
      const series = this.content.series || [];
      const legend = make(this.tools, "div", "legend");
      series.forEach((s, index) => {
        const button = make(legend, "button", "key");
        button.type = "button";
        button.setAttribute("aria-pressed", "true");
        button.title = series.length > 1 ? "Hide or show; twice: this alone" : s.name;
        const filled = s.drawn === "area" || s.drawn === "stack";
        const swatch = draw(button, "svg", { width: 20, height: 12, "aria-hidden": "true" });
        if (filled) draw(swatch, "rect", { class: `f${s.colour}`, x: 2, y: 1, width: 16, height: 10 });
        else draw(swatch, "path", { class: `s${s.colour} ${LINE[s.drawn]}`, d: "M1 6h18" });
        make(button, "bdi", "", s.name);
        if (series.length < 2) { button.disabled = true; return; }
        button.addEventListener("click", () => this.toggle(index));
        button.addEventListener("dblclick", () => this.only(index));
      });
      this.keys = [...legend.children];
      if (this.content.kind === "heat") {
        make(legend, "span", "scale-text", "few");
        for (let i = 1; i <= SHADES; i++) {
          const cell = draw(legend, "svg", { width: 12, height: 12, "aria-hidden": "true", class: "shade" });
          draw(cell, "rect", { class: `h${i}`, width: 12, height: 12 });
        }
        make(legend, "span", "scale-text", "many");
      }
    }
    buildTools() {
      const right = make(this.tools, "div", "buttons");
      const button = (text, title, act) => {
        const made = make(right, "button", "tool", text);
        made.type = "button";
        made.title = title;
        made.setAttribute("aria-label", title);
        made.addEventListener("click", act);
        return made;
      };
      if (this.overTime) {
        this.reset = button("Show all", "Show the whole time again", () => zoomTo(null));
        this.reset.hidden = true;
        button("+", "Zoom in", () => this.zoomBy(0.5));
        button("−", "Zoom out", () => this.zoomBy(2));
      }
      if (this.figure.y.switchable) {
        const label = () => (this.logarithmic ? "log" : "linear");
        const made = button(label(), "Switch the latency axis between logarithmic and linear", () => {
          this.logarithmic = !this.logarithmic;
          made.textContent = label();
          this.render();
        });
      }
    }
    toggle(index) {
      if (this.hidden.has(index)) this.hidden.delete(index); else this.hidden.add(index);
      if (this.hidden.size === this.keys.length) this.hidden.clear();
      this.hiddenChanged();
    }
    only(index) {
      this.hidden = new Set(this.keys.keys());
      this.hidden.delete(index);
      this.hiddenChanged();
    }
    hiddenChanged() {
      this.keys.forEach((key, i) => key.setAttribute("aria-pressed", String(this.shown(i))));
      this.render();
    }

    // The axes as they are now: zoomed, without what is hidden, linear or logarithmic.
    axesNow() {
      const x = { ...this.figure.x }, y = { ...this.figure.y, logarithmic: this.logarithmic };
      if (this.overTime && zoom) [x.from, x.to] = zoom;
      const changed = (this.overTime && zoom) || this.hidden.size || this.logarithmic !== this.figure.y.logarithmic;
      if (!this.content.series || !changed) return [x, y];
      const seen = [];
      const places = this.content.at || this.content.edges.slice(1);
      const stack = places.map(() => 0);
      this.content.series.forEach((s, index) => {
        if (!this.shown(index)) return;
        s.values.forEach((v, i) => {
          if (v === null || (this.content.at && (places[i] < x.from || places[i] > x.to))) return;
          stack[i] += v;
          seen.push(s.drawn === "stack" ? stack[i] : v);
        });
      });
      const positive = seen.filter((v) => v > 0);
      if (!positive.length) return [x, y];
      const high = positive.reduce((a, b) => Math.max(a, b));
      if (y.logarithmic) {
        y.from = below(positive.reduce((a, b) => Math.min(a, b)));
        y.to = Math.max(above(high), y.from * 2);
      } else {
        y.from = 0;
        y.to = high * 1.05;
        if (y.unit === "share") y.to = Math.min(1, y.to);
      }
      return [x, y];
    }

    render() {
      const width = this.canvas.clientWidth;
      if (!width) return;
      this.width = width;
      const height = width < 480 ? 230 : 290;
      const old = this.canvas.querySelector("svg");
      if (old) old.remove();
      const svg = draw(this.canvas, "svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
      const [xAxis, yAxis] = this.axesNow();
      const left = 72, right = width - 14, top = 10, bottom = height - 44;
      const x = scale(xAxis, left, right), y = scale(yAxis, bottom, top);
      y.bottom = bottom;
      Object.assign(this, { svg, x, y, xAxis, yAxis, left, right, top, bottom });
      for (const v of tickValues(yAxis, 6)) {
        draw(svg, "path", { class: "grid", d: `M${left} ${px(y(v))}H${right}` });
        draw(svg, "text", { class: "tick", x: left - 7, y: px(y(v) + 4), "text-anchor": "end" }, onTick(yAxis, v));
      }
      let free = -Infinity;
      for (const v of tickValues(xAxis, Math.max(3, Math.floor((right - left) / 85)))) {
        draw(svg, "path", { class: "grid", d: `M${px(x(v))} ${top}V${bottom}` });
        const text = onTick(xAxis, v), half = text.length * 3.4;
        if (x(v) - half < free) continue;
        free = x(v) + half + 6;
        const anchor = x(v) + half > width ? "end" : "middle";
        draw(svg, "text", { class: "tick", x: px(anchor === "end" ? width - 1 : x(v)), y: bottom + 17, "text-anchor": anchor }, text);
      }
      draw(svg, "path", { class: "axis", d: `M${left} ${bottom}H${right}` });
      draw(svg, "text", { class: "label", x: (left + right) / 2, y: height - 8, "text-anchor": "middle" }, xAxis.label);
      draw(svg, "text", { class: "label", transform: `translate(11 ${(top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, yAxis.label);
      const clip = `clip-${++identity}`;
      draw(draw(draw(svg, "defs", {}), "clipPath", { id: clip }), "rect", { x: left, y: top - 2, width: right - left, height: bottom - top + 4 });
      const layer = draw(svg, "g", { "clip-path": `url(#${clip})` });
      const { content } = this;
      if (content.kind === "lines") drawLines(layer, content, this.shown, x, y);
      else if (content.kind === "bins") drawBins(layer, content, this.shown, x, y);
      else drawHeat(layer, content, x, y);
      this.overlay = draw(svg, "g", { class: "overlay" });
      if (this.reset) this.reset.hidden = !zoom;
      if (this.cursor !== null) this.point(this.cursor, null);
    }

    // The values that can be pointed at, on the x axis.
    places() {
      const { content } = this;
      if (content.kind === "lines") return content.at;
      if (content.kind === "bins") return content.edges.slice(1).map((v, i) => Math.sqrt(v * content.edges[i]));
      return content.columns.map((_, i) => (i + 0.5) * content.step);
    }
    nearest(value) {
      const places = this.places();
      let best = 0;
      for (let i = 1; i < places.length; i++)
        if (Math.abs(this.x.free(places[i]) - this.x.free(value)) < Math.abs(this.x.free(places[best]) - this.x.free(value))) best = i;
      return best;
    }

    // Shows what is at a place; `level` is the pointer's height, where there is a pointer.
    point(value, level) {
      this.cursor = value;
      this.overlay.textContent = "";
      if (value === null || !this.places().length) { this.tip.hidden = true; return ""; }
      const index = this.nearest(value), at = this.x.free(this.places()[index]);
      if (at < this.left - 1 || at > this.right + 1) { this.tip.hidden = true; return ""; }
      draw(this.overlay, "path", { class: "cross", d: `M${px(at)} ${this.top}V${this.bottom}` });
      const [head, lines] = this.describe(index, level);
      this.tip.textContent = "";
      make(this.tip, "strong", "", head);
      let floor = 0;
      for (const line of lines) {
        const row = make(this.tip, "div", "");
        if (line.colour !== undefined) {
          const swatch = draw(row, "svg", { width: 10, height: 10, "aria-hidden": "true" });
          draw(swatch, "rect", { class: `f${line.colour}`, width: 10, height: 10 });
        }
        make(row, "bdi", "", line.name);
        make(row, "span", "", line.text);
        if (line.value === undefined || line.value === null) continue;
        floor = line.stack ? floor + line.value : line.value;
        draw(this.overlay, "circle", { class: `f${line.colour} dot`, cx: px(at), cy: px(this.y(floor)), r: 3.5 });
      }
      this.tip.hidden = false;
      const box = this.canvas.getBoundingClientRect(), own = this.element.getBoundingClientRect();
      const room = this.tip.offsetWidth, offset = box.left - own.left;
      const place = at + 14 + room > this.width ? at - 14 - room : at + 14;
      this.tip.style.left = `${Math.min(Math.max(0, place), Math.max(0, this.width - room)) + offset}px`;
      this.tip.style.top = `${box.top - own.top + 8}px`;
      return [head, ...lines.map((l) => `${l.name} ${l.text}`)].join(", ");
    }
    describe(index, level) {
      const { content, figure } = this;
      if (content.kind === "heat") {
        const [first, counts] = content.columns[index];
        const head = this.span(index * content.step, content.step);
        const lines = [{ name: "requests", text: grouped(counts.reduce((a, b) => a + b, 0)) }];
        if (level !== null) {
          const v = this.y.value(level);
          const row = content.edges.findIndex((e, i) => e <= v && v < content.edges[i + 1]);
          if (row >= 0) lines.push({
            name: `${latency(content.edges[row]).join(SPACE)} – ${latency(content.edges[row + 1]).join(SPACE)}`,
            text: grouped(counts[row - first] || 0),
          });
        }
        return [head, lines];
      }
      let head = figure.x.unit === "percentile" ? "fastest " + percentile(content.at[index]) : "";
      if (content.kind === "bins") head = `${latency(content.edges[index]).join(SPACE)} – ${latency(content.edges[index + 1]).join(SPACE)}`;
      if (this.overTime) head = this.span(Math.floor(content.at[index] / content.step) * content.step, content.step);
      const lines = content.series.map((s, i) => ({ s, i })).filter(({ i }) => this.shown(i)).map(({ s }) => ({
        name: s.name, colour: s.colour, value: s.values[index], stack: s.drawn === "stack",
        text: s.values[index] === null ? "–" : inWords(figure.y, s.values[index]),
      }));
      return [head, lines];
    }
    // A bucket's time, since the start and on the clock.
    span(from, step) {
      const text = `${elapsed(from, this.figure.x.to)} – ${elapsed(Math.min(from + step, Math.max(this.figure.x.to, from)), this.figure.x.to)}`;
      if (!data.started) return text;
      return `${text} (${new Date((data.started + from) * 1000).toLocaleTimeString()})`;
    }

    listen() {
      const { canvas } = this;
      let press = null; // where a drag began
      const place = (event) => {
        const box = canvas.getBoundingClientRect();
        return [Math.min(this.right, Math.max(this.left, event.clientX - box.left)), event.clientY - box.top];
      };
      canvas.addEventListener("pointerdown", (event) => {
        if (event.button !== 0 || !this.overTime || event.pointerType === "touch") return;
        press = place(event)[0];
        canvas.setPointerCapture(event.pointerId);
      });
      canvas.addEventListener("pointermove", (event) => {
        const [x, level] = place(event);
        pointAll(this, this.x.value(x), level);
        if (press !== null) draw(this.overlay, "rect", { class: "chosen", x: Math.min(press, x), y: this.top, width: Math.abs(x - press), height: this.bottom - this.top });
      });
      canvas.addEventListener("pointerup", (event) => {
        const [x] = place(event), began = press;
        press = null;
        if (began !== null && Math.abs(x - began) > 6)
          zoomTo([this.x.value(Math.min(began, x)), this.x.value(Math.max(began, x))]);
        else if (event.pointerType === "touch") pointAll(this, this.x.value(x), place(event)[1]);
      });
      canvas.addEventListener("pointercancel", () => { press = null; });
      canvas.addEventListener("pointerleave", (event) => { if (press === null && event.pointerType !== "touch") pointAll(this, null, null); });
      canvas.addEventListener("dblclick", () => { if (this.overTime) zoomTo(null); });
      canvas.addEventListener("blur", () => pointAll(this, null, null));
      canvas.addEventListener("keydown", (event) => this.key(event));
    }
    key(event) {
      const places = this.places();
      const visible = places.map((v, i) => i).filter((i) => places[i] >= this.xAxis.from && places[i] <= this.xAxis.to);
      if (!visible.length || event.ctrlKey || event.metaKey || event.altKey) return;
      const now = this.cursor === null ? -1 : visible.indexOf(this.nearest(this.cursor));
      const far = event.shiftKey ? 10 : 1;
      const moves = { ArrowRight: now + far, ArrowLeft: now < 0 ? visible.length - 1 : now - far, Home: 0, End: visible.length - 1 };
      if (event.key in moves) {
        const index = visible[Math.min(visible.length - 1, Math.max(0, moves[event.key]))];
        this.spoken.textContent = pointAll(this, places[index], null);
      } else if (this.overTime && (event.key === "+" || event.key === "=")) this.zoomBy(0.5);
      else if (this.overTime && event.key === "-") this.zoomBy(2);
      else if (event.key === "Escape") { zoomTo(null); pointAll(this, null, null); }
      else return;
      event.preventDefault();
    }
    zoomBy(factor) {
      const { from, to } = this.xAxis;
      const middle = this.cursor === null ? (from + to) / 2 : this.cursor;
      zoomTo([middle - (middle - from) * factor, middle + (to - middle) * factor]);
    }
  }

  function pointAll(plot, value, level) {
    if (plot.overTime) for (const other of timePlots) if (other !== plot) other.point(value, null);
    return plot.point(value, level);
  }
  function zoomTo(range) {
    if (!timePlots.length) return;
    const whole = timePlots[0].figure.x;
    const least = Math.max(timePlots[0].content.step * 2, whole.to / 1e4);
    if (range) {
      let [from, to] = [Math.max(whole.from, range[0]), Math.min(whole.to, range[1])];
      if (to - from < least) {
        const middle = (from + to) / 2;
        [from, to] = [Math.max(whole.from, middle - least / 2), Math.min(whole.to, middle + least / 2)];
      }
      range = to - from >= (whole.to - whole.from) * 0.999 ? null : [from, to];
    }
    zoom = range;
    for (const plot of timePlots) plot.render();
  }

  // --- named things beside each other --------------------------------------------------------------
  function drawRows(canvas, figure) {
    const width = canvas.clientWidth;
    if (!width) return;
    const { rows, colour, bar_label: barLabel } = figure.content;
    const ranges = rows.some((row) => row.latency);
    const narrow = width < 560, rowHeight = narrow && ranges ? 50 : 28;
    const nameEnd = narrow ? 0 : Math.min(230, width * 0.24);
    const characters = Math.max(8, Math.floor((narrow ? width * (ranges ? 0.5 : 0.38) : nameEnd - 12) / 7.7));
    const barStart = narrow ? width * (ranges ? 0.55 : 0.4) : nameEnd;
    const barEnd = ranges ? (narrow ? width - 64 : nameEnd + width * 0.16) : width - (narrow ? 110 : 150);
    const rangeStart = narrow ? 16 : barEnd + 78, top = 22, bottom = top + rows.length * rowHeight;
    const height = bottom + (ranges ? 42 : 6);
    canvas.textContent = "";
    const svg = draw(canvas, "svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": figure.title });
    draw(svg, "text", { class: "label", x: barStart, y: 12 }, barLabel);
    const x = scale(figure.x, rangeStart, width - 20);
    if (ranges) {
      for (const v of tickValues(figure.x, Math.max(3, Math.floor((width - rangeStart) / 90)))) {
        draw(svg, "path", { class: "grid", d: `M${px(x(v))} ${top}V${bottom}` });
        draw(svg, "text", { class: "tick", x: px(x(v)), y: bottom + 17, "text-anchor": "middle" }, onTick(figure.x, v));
      }
      draw(svg, "text", { class: "label", x: (rangeStart + width - 20) / 2, y: bottom + 36, "text-anchor": "middle" }, figure.x.label);
    }
    const longest = Math.max(...rows.map((row) => row.bar), Number.MIN_VALUE);
    rows.forEach((row, index) => {
      const begin = top + index * rowHeight, middle = begin + 14;
      const group = draw(svg, "g", {});
      const range = row.latency && row.latency.map((v) => latency(v).join(SPACE));
      const words = range ? `; p50 ${range[0]}, p90 ${range[1]}, p99 ${range[2]}, max ${range[3]}` : "";
      draw(group, "title", {}, `${row.name}: ${row.bar_text}${words}`);
      draw(group, "rect", { class: "hit", x: 0, y: begin, width, height: rowHeight });
      const all = [...row.name];
      const keep = Math.floor((characters - 1) / 2);
      const name = all.length > characters ? all.slice(0, characters - 1 - keep).join("") + "…" + all.slice(-keep).join("") : row.name;
      draw(group, "text", { class: "name", x: narrow ? 0 : nameEnd - 10, y: middle + 4, "text-anchor": narrow ? "start" : "end" }, name);
      const length = Math.max(1, (row.bar / longest) * (barEnd - barStart));
      draw(group, "rect", { class: `f${colour}`, x: barStart, y: middle - 6, width: px(length), height: 12, rx: 2 });
      draw(group, "text", { class: "tick", x: px(barStart + length + 6), y: middle + 4 }, row.bar_text);
      if (!row.latency) return;
      const [half, most, slow, last] = row.latency.map((v) => px(x(v)));
      const y = narrow ? begin + 36 : middle;
      draw(group, "path", { class: "s1 line thin", d: `M${half} ${y}H${slow}` });
      draw(group, "path", { class: "s1 thick", d: `M${half} ${y}H${most}` });
      draw(group, "path", { class: "s1 line", d: `M${half} ${y - 7}v14M${slow} ${y - 4}v8` });
      draw(group, "circle", { class: "f7", cx: last, cy: y, r: 3 });
    });
  }

  // --- the page ------------------------------------------------------------------------------------
  for (const element of document.querySelectorAll("figure[data-figure]")) {
    const figure = data.figures[Number(element.dataset.figure)];
    if (figure.content.kind === "rows") {
      const canvas = element.querySelector(".canvas");
      let width = 0;
      new ResizeObserver(() => {
        if (Math.abs(canvas.clientWidth - width) < 0.5) return;
        width = canvas.clientWidth;
        drawRows(canvas, figure);
      }).observe(canvas);
      drawRows(canvas, figure);
    } else new Plot(element, figure).render();
  }

  const themes = ["auto", "light", "dark"], button = document.getElementById("theme");
  function show(theme) {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Colours: ${theme}`;
  }
  let theme = document.documentElement.dataset.theme || "auto";
  button.hidden = false;
  button.addEventListener("click", () => show((theme = themes[(themes.indexOf(theme) + 1) % themes.length])));
  show(theme);
  const copy = document.getElementById("copy");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", () => navigator.clipboard.writeText(document.getElementById("command").textContent)
      .then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = "Not allowed"; }));
  }
})();
