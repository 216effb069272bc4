const state = { group: 0, level: "service", measure: "avg5" };
let charts = [];

const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const MEASURES = [["avg5", "Avg@5"], ["ac1", "AC@1"], ["ac2", "AC@2"], ["ac3", "AC@3"], ["ac4", "AC@4"], ["ac5", "AC@5"], ["mrr", "MRR"]];
const LEVELS = [["service", "root-cause service"], ["metric", "root-cause metric"]];

function estimate(row, level, measure) {
  const accuracy = row[level];
  if (!accuracy) return null;
  return measure.startsWith("ac") ? accuracy.ac[Number(measure[2]) - 1] : accuracy[measure];
}
const nameOf = row => row.method + (row.variant === "-" || row.variant === "published" ? "" : ` (${row.variant})`) + (row.options ? ` {${row.options}}` : "");
const isBaseline = row => ["chance", "mean_shift", "latest_change", "dummy"].includes(row.method);
const percent = value => value.toFixed(2);
const ms = seconds => { const v = 1e3 * seconds; return v < 10 ? v.toFixed(2) : v < 100 ? v.toFixed(1) : v.toFixed(0); };
const titleOf = group => group.dimension === "all" ? `all ${group.cases} cases` : `${group.dimension}: ${group.value} (${group.cases})`;

function select(label, choices, value, onchange) {
  return el("label", {}, label + " ", el("select", { onchange: event => { onchange(event.target.value); draw(); } },
    choices.map(([key, text]) => el("option", { value: key, ...(String(key) === String(value) ? { selected: "" } : {}) }, text))));
}

const whiskers = {
  id: "whiskers",
  afterDatasetsDraw(chart) {
    const { ctx, scales: { x, y } } = chart;
    ctx.save();
    ctx.strokeStyle = color("ink");
    ctx.lineWidth = 1.4;
    chart.$rows.forEach((row, i) => {
      if (row.method === "chance") return;
      const e = estimate(row, state.level, state.measure);
      const at = y.getPixelForValue(i), a = x.getPixelForValue(e.low), b = x.getPixelForValue(e.high);
      ctx.beginPath();
      ctx.moveTo(a, at); ctx.lineTo(b, at);
      ctx.moveTo(a, at - 3); ctx.lineTo(a, at + 3);
      ctx.moveTo(b, at - 3); ctx.lineTo(b, at + 3);
      ctx.stroke();
    });
    const chance = chart.$rows.find(row => row.method === "chance");
    if (chance) {
      const at = x.getPixelForValue(estimate(chance, state.level, state.measure).mean);
      ctx.strokeStyle = color("soft");
      ctx.setLineDash([4, 3]);
      ctx.beginPath(); ctx.moveTo(at, chart.chartArea.top); ctx.lineTo(at, chart.chartArea.bottom); ctx.stroke();
    }
    ctx.restore();
  }
};

function scored(group) {
  return group.rows.filter(row => estimate(row, state.level, state.measure))
    .sort((a, b) => (a.method === "chance") - (b.method === "chance") || estimate(b, state.level, state.measure).mean - estimate(a, state.level, state.measure).mean);
}

function bars(rows) {
  const canvas = el("canvas", { role: "img", "aria-label": "Accuracy by method" });
  const box = el("div", { style: `position:relative;height:${40 + 24 * rows.length}px` }, canvas);
  const fill = row => isBaseline(row) ? color("soft") : row.variant === "reference" ? color("warn") : color("cool");
  queueMicrotask(() => {
    const chart = new Chart(canvas, {
      type: "bar",
      data: { labels: rows.map(nameOf), datasets: [{ data: rows.map(row => estimate(row, state.level, state.measure).mean), backgroundColor: rows.map(row => fill(row) + "b0"), borderRadius: 3, barPercentage: .72, categoryPercentage: .9 }] },
      options: {
        indexAxis: "y", animation: false, responsive: true, maintainAspectRatio: false,
        plugins: { legend: { display: false }, tooltip: { callbacks: { label: item => { const e = estimate(rows[item.dataIndex], state.level, state.measure); return `${percent(e.mean)} [${percent(e.low)}, ${percent(e.high)}]`; } } } },
        scales: { x: { min: 0, max: 1, grid: { color: color("line") }, ticks: { color: color("soft") } }, y: { grid: { display: false }, ticks: { color: color("ink"), autoSkip: false } } }
      },
      plugins: [{ id: "rows", beforeInit(c) { c.$rows = rows; } }, whiskers]
    });
    charts.push(chart);
  });
  return box;
}

function speed(rows) {
  const timed = rows.filter(row => row.variant !== "-" && row.failed < row.cells);
  if (timed.length < 2) return null;
  const canvas = el("canvas", { role: "img", "aria-label": "Accuracy against time per case" });
  queueMicrotask(() => charts.push(new Chart(canvas, {
    type: "scatter",
    data: { datasets: [["published", color("cool")], ["reference", color("warn")]].map(([variant, fill]) => ({
      label: variant, backgroundColor: fill, pointRadius: 5, pointHoverRadius: 7,
      data: timed.filter(row => row.variant === variant).map(row => ({ x: 1e3 * row.cpu_seconds_median, y: estimate(row, state.level, state.measure).mean, row }))
    })) },
    options: {
      animation: false, responsive: true, maintainAspectRatio: false,
      layout: { padding: { right: 110, top: 8 } },
      plugins: { legend: { labels: { color: color("ink"), usePointStyle: true } }, tooltip: { callbacks: { label: item => `${nameOf(item.raw.row)}: ${percent(item.raw.y)}, ${ms(item.raw.row.cpu_seconds_median)} ms` } } },
      scales: {
        x: { type: "logarithmic", title: { display: true, text: "CPU ms per case (median)", color: color("soft") }, grid: { color: color("line") }, ticks: { color: color("soft"), maxRotation: 0, callback: v => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6 ? String(v) : "" } },
        y: { min: 0, max: 1, title: { display: true, text: MEASURES.find(m => m[0] === state.measure)[1], color: color("soft") }, grid: { color: color("line") }, ticks: { color: color("soft") } }
      }
    },
    plugins: [{
      id: "names",
      afterDatasetsDraw(chart) {
        const { ctx } = chart;
        ctx.save();
        ctx.font = "11px system-ui, sans-serif";
        ctx.fillStyle = color("soft");
        const taken = [];
        chart.data.datasets.forEach((set, s) => chart.getDatasetMeta(s).data.forEach((point, i) => {
          const text = set.data[i].row.method;
          const width = ctx.measureText(text).width;
          const box = { x: point.x + 8, y: point.y - 6, w: width, h: 12 };
          if (taken.some(t => box.x < t.x + t.w && t.x < box.x + box.w && box.y < t.y + t.h && t.y < box.y + box.h)) return;
          taken.push(box);
          ctx.fillText(text, point.x + 8, point.y + 4);
        }));
        ctx.restore();
      }
    }]
  })));
  return [el("h2", {}, "Accuracy and time"), el("div", { class: "card" }, el("div", { style: "position:relative;height:340px" }, canvas))];
}

function table(rows) {
  const cell = e => e ? [percent(e.mean), el("span", { class: "soft" }, ` [${percent(e.low)}, ${percent(e.high)}]`)] : "-";
  const head = ["method", "variant", "AC@1 [95 % CI]", "AC@2", "AC@3", "AC@4", "AC@5", "Avg@5 [95 % CI]", "MRR [95 % CI]", "ms/case", "peak MB", "cases", "failed", "degenerate"];
  return el("div", { class: "scroll" }, el("table", { class: "figures" },
    el("thead", {}, el("tr", {}, head.map((text, i) => el("th", { class: i > 1 ? "right" : "" }, text)))),
    el("tbody", {}, rows.map(row => {
      const a = row[state.level];
      const num = (content, extra = "") => el("td", { class: "num right " + extra }, content);
      return el("tr", {}, el("td", {}, row.method + (row.options ? ` {${row.options}}` : "")), el("td", { class: "soft" }, row.variant),
        num(cell(a.ac[0])), num(percent(a.ac[1].mean)), num(percent(a.ac[2].mean)), num(percent(a.ac[3].mean)), num(percent(a.ac[4].mean)),
        num(cell(a.avg5)), num(cell(a.mrr)), num(row.variant === "-" || row.failed === row.cells ? "-" : ms(row.cpu_seconds_median)),
        num(row.variant === "-" || row.failed === row.cells || row.heap_peak_bytes === null ? "-" : (row.heap_peak_bytes / 1e6).toFixed(1)),
        num(String(a.cases)), num(row.failed ? String(row.failed) : "-", row.failed ? "up" : ""), num(row.degenerate ? String(row.degenerate) : "-", row.degenerate ? "up" : ""));
    }))));
}

function heat(dimension, title) {
  const groups = data.groups.filter(group => group.dimension === dimension && group.rows.some(row => estimate(row, state.level, state.measure)));
  if (groups.length < 2) return null;
  const order = scored(data.groups[0]);
  const find = (group, row) => group.rows.find(r => r.method === row.method && r.variant === row.variant && r.options === row.options);
  return [el("h2", {}, title), el("div", { class: "card scroll" }, el("table", { class: "heat" },
    el("thead", {}, el("tr", {}, el("th", { class: "name" }, ""), groups.map(group => el("th", {}, group.value, el("div", { class: "soft", style: "font-weight:400" }, String(group.cases)))))),
    el("tbody", {}, order.map(row => el("tr", {}, el("td", { class: "name" }, nameOf(row)), groups.map(group => {
      const other = find(group, row);
      const e = other && estimate(other, state.level, state.measure);
      if (!e) return el("td", { class: "soft" }, "·");
      const failed = other.failed === other.cells;
      return el("td", { title: `${nameOf(row)} on ${group.value}: [${percent(e.low)}, ${percent(e.high)}]${other.failed ? `, ${other.failed} failed` : ""}`, style: failed ? "color:var(--soft)" : `background:color-mix(in srgb, var(--cool) ${Math.round(75 * e.mean)}%, var(--card))` + (e.mean > .8 ? ";color:var(--on-heat)" : "") }, failed ? "failed" : percent(e.mean));
    }))))))];
}

function reasons() {
  if (!data.reasons.length) return null;
  return [el("h2", {}, "Failed and degenerate answers"), el("div", { class: "card scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ["method", "variant", "status", "cases", "reason", "first seen"].map((text, i) => el("th", { class: i === 3 ? "right" : "" }, text)))),
    el("tbody", {}, data.reasons.map(r => el("tr", {}, el("td", {}, r.method), el("td", { class: "soft" }, r.variant), el("td", {}, r.status.replace("_", " ")), el("td", { class: "num right" }, String(r.cases)), el("td", {}, r.reason), el("td", { class: "soft" }, r.example))))))];
}

function draw() {
  charts.forEach(chart => chart.destroy());
  charts = [];
  const group = data.groups[state.group];
  const rows = scored(group);
  app.replaceChildren(...[
    el("h1", {}, "Which method finds the root cause"),
    el("p", { class: "soft" }, `${data.cases} cases, ${data.contenders} methods and variants, seed ${data.seed}. culprit ${data.version}, ${data.machine}, peak memory ${(data.process_peak_bytes / 1e6).toFixed(0)} MB.`),
    el("p", { class: "num soft", style: "white-space:normal;overflow-wrap:anywhere" }, data.command),
    el("div", { class: "controls", style: "margin-top:18px" },
      select("Cases", data.groups.map((g, i) => [i, titleOf(g)]), state.group, v => { state.group = Number(v); }),
      select("Level", LEVELS, state.level, v => { state.level = v; }),
      select("Measure", MEASURES, state.measure, v => { state.measure = v; })),
    rows.length ? el("div", { class: "card" }, bars(rows),
      el("div", { class: "legend" },
        el("span", {}, el("i", { style: "background:var(--cool)" }), "published"), el("span", {}, el("i", { style: "background:var(--warn)" }), "reference implementation"),
        el("span", {}, el("i", { style: "background:var(--soft)" }), "trivial baseline"), el("span", {}, "whiskers: 95 % bootstrap interval over cases; dashed: exact expectation of a random order"))) :
      el("p", { class: "soft" }, "Nothing is labelled at this level in these cases."),
    speed(rows), heat("dataset", "By dataset"), heat("fault", "By fault"), heat("service", "By root-cause service"),
    rows.length ? [el("h2", {}, "All figures"), el("div", { class: "card" }, table(rows))] : null, reasons(),
    el("p", { class: "soft", style: "margin-top:28px;font-size:13px" }, "A failed case counts as a miss. AC@k: share of cases whose root cause is among the first k; Avg@5: mean of AC@1 to AC@5; MRR: mean of 1/rank. ms/case: CPU time on one thread. peak MB: heap above what the case itself takes. Made by culprit; this page loads nothing from the network.")
  ].flat(2).filter(node => node));
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
