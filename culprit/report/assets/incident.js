let chosen = 0;
let charts = [];

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  for (const child of children.flat()) node.append(child);
  return node;
}
const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const clock = seconds => new Date((data.alert + seconds) * 1000).toISOString().slice(11, 19);

function byService(answer) {
  const services = [];
  const index = new Map();
  for (const suspect of answer.suspects) {
    if (!index.has(suspect.service)) {
      index.set(suspect.service, services.length);
      services.push({ service: suspect.service, suspects: [] });
    }
    services[index.get(suspect.service)].suspects.push(suspect);
  }
  return services;
}

function header(answer, services) {
  const best = services[0];
  const finding = answer.findings[0];
  const title = answer.doubt ? "Not known yet: " + answer.doubt :
    finding ? `${titleOf(finding)}, ${finding.percent}` :
    best ? "Most suspected: " + (best.service || best.suspects[0].name) : "No suspect";
  const chips = data.seen.map(text => el("span", { class: "chip" }, text))
    .concat(data.missing.map(text => el("span", { class: "chip missing" }, "no " + text)));
  if (answer.status !== "ok") chips.unshift(el("span", { class: "chip bad" }, answer.status));
  return el("header", {},
    data.symptom ? el("p", { class: "symptom" }, data.symptom) : null,
    el("h1", {}, title),
    el("p", { class: "soft" }, `Incident ${data.id}, alert ${data.alert_text} UTC, ${data.baseline_text} before and ` +
      `${data.suspect_text} after. Method ${answer.method} (${answer.variant}), ${answer.seconds_text}.`),
    answer.reason ? el("p", { class: "up" }, answer.reason) : null,
    el("div", { class: "chips" }, chips),
    answer.notes.map(note => el("p", { class: "soft" }, note)));
}

function tabs() {
  if (data.answers.length < 2) return null;
  return el("div", { class: "tabs", role: "group", "aria-label": "Method" }, data.answers.map((answer, i) =>
    el("button", { "aria-pressed": String(i === chosen), onclick: () => { chosen = i; draw(); } },
      `${answer.method} (${answer.variant})`)));
}

const titleOf = finding => (finding.component ? finding.component + ": " : "") + finding.name;

// For methods that know faults: what is broken, how sure, from cause to symptom, and what to do.
function findings(answer) {
  if (!answer.findings.length) return null;
  const fact = (label, content, command) => el("div", { class: "fact" }, el("b", {}, label), el("div", {}, content, command ? el("pre", { class: "num" }, command) : null));
  const facts = (label, all) => all.map((text, i) => fact(i === 0 ? label : "", text));
  const chain = steps => el("div", { class: "scroll" }, el("table", { class: "chain" }, el("tbody", {}, steps.map(step =>
    el("tr", {}, el("td", { class: "num" }, step.when), el("td", { class: "what" }, step.text, step.remark ? el("span", { class: "soft" }, "  " + step.remark) : null))))));
  return [el("h2", {}, answer.doubt ? "Candidates" : "What is broken"), ...answer.findings.map((finding, i) => el("section", { class: "card" + (i === 0 ? " first" : "") + (finding.is_told ? "" : " small") },
    el("div", { class: "suspect-head" }, el("span", { class: "rank" }, String(i + 1)),
      el("h3", {}, titleOf(finding)),
      el("span", { class: "num" }, finding.percent),
      el("span", { class: "meter" }, el("i", { style: `width:${100 * finding.probability}%` }))),
    finding.is_told ? [
      finding.chain.length ? chain(finding.chain) : null,
      el("div", { class: "facts" },
        finding.beside ? fact("also", finding.beside) : null,
        finding.where ? fact("where", finding.where) : null,
        facts("new in log", finding.new_lines), facts("against", finding.against), facts("not", finding.ruled_out),
        finding.advice.map((advice, k) => fact(k === 0 ? "do" : "", advice.action, advice.command)),
        finding.meanwhile ? fact("meanwhile", finding.meanwhile.action, finding.meanwhile.command) : null),
      stepPlots(finding)
    ].flat() : null)),
    ...answer.blind_spots.map(text => el("p", { class: "soft" }, el("b", {}, answer.doubt ? "to decide " : "blind spot "), text))];
}

// The signals of the chain, the component against its siblings.
function stepPlots(finding) {
  const steps = finding.chain.filter(step => step.series);
  if (!steps.length) return null;
  const others = [...new Set(steps.flatMap(step => step.series.slice(1).map(series => series.component)))];
  return [el("div", { class: "plots" }, steps.map(step => plot(step.series, step, step.text.replace(/ (-?[0-9]|stopped).*$/, ""), step.unit))),
    el("div", { class: "legend" }, el("span", {}, el("i", { class: "stroke own" }), steps[0].series[0].component),
      others.length ? el("span", {}, el("i", { class: "stroke" }), others.length > 4 ? `${others.length} siblings` : others.join(", ")) : null,
      windowsLegend())];
}

const windowsLegend = () => [
  el("span", {}, el("i", { style: "background:var(--baseline)" }), "before the alert"),
  el("span", {}, el("i", { style: "background:var(--suspect)" }), "since"),
  el("span", {}, el("i", { style: "background:var(--accent);width:2px" }), "onset"),
  el("span", {}, el("i", { style: "border-top:2px dashed var(--good);height:0;vertical-align:middle" }), "baseline")];

// What moved when: one line per piece of evidence, earliest first, with its uncertainty.
function timeline(answer, services) {
  const rows = [];
  answer.findings.forEach((finding, rank) => finding.is_told && finding.chain.forEach(step => {
    const [, what, moved] = (!step.text.startsWith("log ") && step.text.match(/^(.*?) (-?[0-9].*)$/)) || [null, step.text, ""];
    if (step.at !== undefined && !rows.some(row => row.service === finding.component && row.what === what))
      rows.push({ rank, service: finding.component, score: -rows.length, at: step.at, uncertainty: step.uncertainty, what, when: step.when, moved: moved.replace(/, siblings.*/, "") });
  }));
  if (!rows.length) services.slice(0, 5).forEach((service, rank) => {
    for (const e of service.suspects[0].evidence)
      if (e.at !== undefined)
        rows.push({ rank, service: service.service, score: Math.abs(e.score), at: e.at, uncertainty: e.uncertainty, what: e.text.what, when: e.text.when, moved: e.text.moved });
  });
  if (rows.length < 2) return null;
  rows.sort((a, b) => b.score - a.score);
  const shown = rows.slice(0, 14).sort((a, b) => a.at - b.at || a.rank - b.rank);
  const times = shown.map(row => row.at).concat(0);
  let low = Math.min(...times), high = Math.max(...times);
  const pad = Math.max(5, 0.08 * (high - low));
  low -= pad; high += pad;
  const left = 300, right = 840, width = 1160, rowHeight = 22, top = 26;
  const x = t => left + (Math.min(Math.max(t, low), high) - low) / (high - low) * (right - left);
  const height = top + shown.length * rowHeight + 8;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", role: "img", "aria-label": "What moved when" });
  picture.append(svg("line", { x1: x(0), x2: x(0), y1: top - 6, y2: height, stroke: color("accent"), "stroke-dasharray": "4 3" }));
  const alertLabel = svg("text", { x: x(0), y: 14, "text-anchor": "middle", class: "minor" });
  alertLabel.textContent = "alert " + clock(0);
  picture.append(alertLabel);
  shown.forEach((row, i) => {
    const y = top + i * rowHeight + rowHeight / 2;
    const spread = row.uncertainty || 0;
    const put = (text, at, anchor, limit, minor) => {
      const node = svg("text", { x: at, y: y + 4, "text-anchor": anchor, class: minor ? "minor" : "" });
      const tip = svg("title");
      tip.textContent = text;
      node.append(text.length > limit ? text.slice(0, limit - 1) + "…" : text, tip);
      picture.append(node);
    };
    const mark = row.rank === 0 ? color("accent") : color("cool");
    picture.append(svg("line", { x1: left, x2: right, y1: y, y2: y, stroke: color("line") }));
    if (spread > 0)
      picture.append(svg("line", { x1: x(row.at - spread), x2: x(row.at + spread), y1: y, y2: y, stroke: mark, "stroke-width": 6, "stroke-opacity": .3 }));
    picture.append(svg("circle", { cx: x(row.at), cy: y, r: 4.5, fill: mark }));
    put((row.service ? row.service + " · " : "") + row.what, left - 12, "end", 44, false);
    put(row.when, right + 14, "start", 24, true);
    put(row.moved, width - 4, "end", 32, false);
  });
  return [el("h2", {}, "What moved when"), el("div", { class: "card scroll" }, picture)];
}

const windows = {
  id: "windows",
  beforeDatasetsDraw(chart, _, options) {
    const { ctx, chartArea: area, scales: { x } } = chart;
    const band = (from, to, fill) => {
      const a = Math.max(x.getPixelForValue(from), area.left), b = Math.min(x.getPixelForValue(to), area.right);
      if (b > a) { ctx.fillStyle = fill; ctx.fillRect(a, area.top, b - a, area.bottom - area.top); }
    };
    ctx.save();
    band(data.baseline[0], data.baseline[1], color("baseline"));
    band(data.suspect[0], data.suspect[1], color("suspect"));
    const shift = options.shift;
    if (shift) {
      if (shift.at === undefined) return ctx.restore();
      const at = x.getPixelForValue(shift.at);
      if (shift.uncertainty > 0) band(shift.at - shift.uncertainty, shift.at + shift.uncertainty, color("suspect"));
      ctx.strokeStyle = color("accent");
      ctx.lineWidth = 1.5;
      ctx.beginPath(); ctx.moveTo(at, area.top); ctx.lineTo(at, area.bottom); ctx.stroke();
      if (shift.baseline === undefined) return ctx.restore();
      const level = chart.scales.y.getPixelForValue(shift.baseline);
      ctx.strokeStyle = color("good");
      ctx.setLineDash([4, 3]);
      ctx.lineWidth = 1;
      ctx.beginPath(); ctx.moveTo(area.left, level); ctx.lineTo(area.right, level); ctx.stroke();
    }
    ctx.restore();
  }
};

// A value as a person writes it, for axes and tooltips.
function quantity(value, unit) {
  const short = v => v === 0 ? "0" : Math.abs(v) >= 100 ? v.toFixed(0) : String(Number(v.toPrecision(3)));
  const scaled = (v, steps) => {
    const [factor, name] = steps.find(([from]) => Math.abs(v) >= from * .9995) || steps[steps.length - 1];
    return short(v / factor) + name;
  };
  const seconds = [[1, " s"], [1e-3, " ms"], [1e-6, " µs"]], plain = [[1e12, " T"], [1e9, " G"], [1e6, " M"], [1e4, " k"], [1, ""]];
  if (value === 0) return "0";
  if (unit === "s") return scaled(value, seconds);
  if (unit === "ms") return scaled(value * 1e-3, seconds);
  if (unit === "Hz") return scaled(value, [[1e6, " MHz"], [1, " Hz"]]);
  if (unit === "By" || unit === "By/s") return scaled(value, [[1e12, " TB"], [1e9, " GB"], [1e6, " MB"], [1e3, " kB"], [1, " B"]]) + unit.slice(2);
  if (unit === "ns/s") return short(value * 1e-7) + " %";
  if (unit === "Cel") return short(value) + " °C";
  const name = unit === "1" || !unit || unit.startsWith("{") || unit.startsWith("1{") ? (unit && unit.endsWith("/s") ? "/s" : "") : unit.startsWith("/") ? unit : " " + unit;
  return (Math.abs(value) >= 1e4 ? scaled(value, plain) : Math.abs(value) < 1e-3 ? value.toExponential(1) : short(value)) + name;
}

// The first series is the component's own, the others are its siblings'.
function plot(all, shift, title, unit, note = "") {
  const canvas = el("canvas", { role: "img", "aria-label": title });
  const node = el("div", { class: "plot" },
    el("div", { class: "title" }, el("b", { title }, title), el("span", { class: "soft num" }, note)),
    el("div", { class: "box" }, canvas));
  const points = all[0].points.length;
  const own = all.length > 1 ? color("accent") : color("ink");
  const span = data.suspect[1] - data.baseline[0];
  queueMicrotask(() => charts.push(new Chart(canvas, {
    type: "line",
    data: { datasets: all.map((series, i) => ({
      data: series.points.map(([x, y]) => ({ x, y })), label: series.component, order: i,
      borderColor: i === 0 ? own : color("cool") + "90", borderWidth: i === 0 ? 1.6 : 1.2,
      pointRadius: i === 0 && points < 40 ? 2 : 0, pointBackgroundColor: own, spanGaps: all.length > 1 })) },
    options: {
      animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      plugins: {
        legend: { display: false }, windows: { shift },
        tooltip: { displayColors: false, callbacks: { title: items => clock(items[0].parsed.x) + " UTC", label: item => (item.dataset.label ? item.dataset.label + " " : "") + quantity(item.parsed.y, unit) } }
      },
      scales: {
        x: { type: "linear", min: data.baseline[0], max: data.suspect[1], grid: { display: false }, border: { color: color("line") },
          ticks: { color: color("soft"), maxTicksLimit: 4, maxRotation: 0, font: { size: 11 }, callback: value => clock(value).slice(0, span < 600 ? 8 : 5) } },
        y: { grid: { color: color("line") }, ticks: { color: color("soft"), maxTicksLimit: 4, font: { size: 11 }, callback: value => quantity(value, unit) } }
      }
    },
    plugins: [windows]
  })));
  return node;
}

function suspectCard(service, rank) {
  const best = service.suspects[0];
  const rows = best.evidence.map(e => el("tr", {},
    el("td", { class: "num" }, e.text.when),
    el("td", { class: "what" }, e.text.what, e.example ? el("div", { class: "soft num", style: "white-space:normal" }, e.example) : null),
    el("td", { class: "num right" }, e.text.moved),
    el("td", { class: "num right " + (e.score > 0 ? "up" : "down") }, e.text.score)));
  const shown = new Map();
  for (const suspect of service.suspects)
    for (const e of suspect.evidence)
      if (e.kind === "metric" && data.series[e.column] && !shown.has(e.column)) shown.set(e.column, e);
  const plots = [...shown.entries()].slice(0, 4).map(([name, shift]) =>
    plot([{ component: "", points: data.series[name].points }], shift, shift.text.what, data.series[name].unit, `${shift.text.score} dev`));
  return el("section", { class: "card" + (rank === 0 ? " first" : "") },
    el("div", { class: "suspect-head" }, el("span", { class: "rank" }, String(rank + 1)),
      el("h3", {}, service.service || best.name),
      best.name !== service.service ? el("span", { class: "soft" }, "by " + best.name) : null,
      el("span", { class: "soft num" }, "score " + best.score_text)),
    rows.length ? el("div", { class: "scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", {}, "since (UTC)"), el("th", {}, "what"), el("th", { class: "right" }, "baseline → peak"), el("th", { class: "right" }, "deviations"))),
      el("tbody", {}, rows))) : el("p", { class: "soft" }, "No signal of it moved by three deviations."),
    plots.length ? el("div", { class: "plots" }, plots) : null);
}

// Layers by longest path from the entry; cycles are cut where they close.
function layersOf(nodes, edges) {
  const depth = new Map(nodes.map(node => [node, 0]));
  for (let round = 0; round < nodes.length; ++round) {
    let changed = false;
    for (const { from, to } of edges)
      if (depth.get(to) < depth.get(from) + 1 && depth.get(from) + 1 < nodes.length && round < 12) {
        depth.set(to, depth.get(from) + 1);
        changed = true;
      }
    if (!changed) break;
  }
  const layers = [];
  for (const node of nodes) (layers[depth.get(node)] ||= []).push(node);
  return layers.filter(layer => layer);
}

// With findings a score is a probability; else only the rank means something.
function graph(answer, services) {
  const edges = data.graph.edges.filter(edge => edge.from !== edge.to);
  const rank = new Map(services.map((service, i) => [service.service, i]));
  // Nodes that nothing connects say nothing; a graph of hundreds shows the suspects and their neighbours.
  let nodes = [...new Set(edges.flatMap(edge => [edge.from, edge.to]))];
  let kept = edges;
  if (nodes.length > 60) {
    const near = new Set(services.slice(0, 8).map(s => s.service));
    kept = edges.filter(edge => near.has(edge.from) || near.has(edge.to));
    nodes = [...new Set(kept.flatMap(edge => [edge.from, edge.to]))].slice(0, 80);
    kept = kept.filter(edge => nodes.includes(edge.from) && nodes.includes(edge.to));
  }
  if (nodes.length < 2) return null;
  const layers = layersOf(nodes, kept);
  const boxWidth = Math.min(230, 22 + 7.2 * Math.max(...nodes.map(n => Math.min(n.length, 28)))), boxHeight = 28, gapX = 70, gapY = 16;
  const tallest = Math.max(...layers.map(layer => layer.length));
  const height = tallest * (boxHeight + gapY) + gapY, width = layers.length * (boxWidth + gapX) - gapX + 20;
  const at = new Map();
  layers.forEach((layer, i) => {
    // Order within a layer by the mean height of what calls it, which keeps most edges from crossing.
    const weight = node => {
      const ys = kept.filter(e => e.to === node && at.has(e.from)).map(e => at.get(e.from).y);
      return ys.length ? ys.reduce((a, b) => a + b) / ys.length : height / 2;
    };
    layer.sort((a, b) => weight(a) - weight(b) || a.localeCompare(b));
    const used = layer.length * (boxHeight + gapY) - gapY;
    layer.forEach((node, j) => at.set(node, { x: 10 + i * (boxWidth + gapX), y: (height - used) / 2 + j * (boxHeight + gapY) }));
  });
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width: Math.min(width, 1160), style: "max-width:100%;height:auto", role: "img", "aria-label": "Service graph" });
  picture.append(svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0 L8 4 L0 8 z", fill: color("soft") }))));
  for (const edge of kept) {
    const a = at.get(edge.from), b = at.get(edge.to);
    const back = b.x <= a.x;
    const x1 = back ? a.x + boxWidth / 2 : a.x + boxWidth, y1 = back ? a.y + boxHeight : a.y + boxHeight / 2;
    const x2 = back ? b.x + boxWidth / 2 : b.x, y2 = back ? b.y : b.y + boxHeight / 2;
    const bend = back ? 0 : Math.max(30, (x2 - x1) / 2);
    const hot = (rank.get(edge.from) === 0 || rank.get(edge.to) === 0) && (!answer.findings.length || services[0].suspects[0].score >= .01);
    picture.append(svg("path", { d: `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, fill: "none", stroke: hot ? color("accent") : color("soft"), "stroke-opacity": hot ? .8 : .45, "stroke-width": hot ? 1.6 : 1, "marker-end": "url(#tip)", "stroke-dasharray": edge.kind === "calls" ? "none" : "4 3" }));
  }
  for (const [node, place] of at) {
    const r = rank.has(node) ? rank.get(node) : Infinity;
    const score = Number.isFinite(r) ? services[r].suspects[0].score : 0;
    const isSuspect = answer.findings.length ? score >= .01 : r < 5;
    const strength = !isSuspect ? 0 : answer.findings.length ? score : r === 0 ? 1 : .55 - .1 * r;
    const box = svg("g", {}, svg("rect", { x: place.x, y: place.y, width: boxWidth, height: boxHeight, rx: 7, fill: color("card"), stroke: color("line") }),
      svg("rect", { x: place.x, y: place.y, width: boxWidth, height: boxHeight, rx: 7, fill: color("accent"), "fill-opacity": strength * .55, stroke: isSuspect && r === 0 ? color("accent") : color("line"), "stroke-width": isSuspect && r === 0 ? 2 : 1 }));
    const label = svg("text", { x: place.x + boxWidth / 2, y: place.y + boxHeight / 2 + 4, "text-anchor": "middle" });
    const shortName = node.length > 28 ? node.slice(0, 27) + "…" : node;
    label.textContent = isSuspect ? `${r + 1}  ${shortName}` : shortName;
    const tip = svg("title");
    tip.textContent = Number.isFinite(r) ? `${node}: suspect ${r + 1}` : node;
    box.append(label, tip);
    picture.append(box);
  }
  return [el("h2", {}, "Service graph"),
    el("div", { class: "card scroll" }, picture,
      el("div", { class: "legend" }, el("span", {}, answer.findings.length ? "number: rank among the suspects; colour: how probable" : "numbers and colour: rank among the suspects"), el("span", {}, "dashed: placement, not calls")))];
}

function fullRanking(answer) {
  return el("details", {}, el("summary", {}, `Whole ranking (${answer.suspects.length} entries)`),
    el("div", { class: "card scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, ["rank", "name", "service", "score"].map((text, i) => el("th", { class: i === 3 ? "right" : "" }, text)))),
      el("tbody", {}, answer.suspects.map((suspect, i) => el("tr", {}, el("td", { class: "num" }, String(i + 1)), el("td", {}, suspect.name), el("td", {}, suspect.service), el("td", { class: "num right" }, suspect.score_text)))))));
}

function problems() {
  if (!data.problems.length) return null;
  return el("details", {}, el("summary", {}, `Problems in the data (${data.problems.length})`),
    el("div", { class: "card scroll" }, el("table", {}, el("tbody", {}, data.problems.map(p =>
      el("tr", {}, el("td", { class: "num" }, p.place), el("td", {}, p.message), el("td", { class: "num right" }, p.count > 1 ? "× " + p.count : "")))))));
}

function draw() {
  charts.forEach(chart => chart.destroy());
  charts = [];
  const answer = data.answers[chosen];
  const services = byService(answer);
  const hasFindings = answer.findings.length > 0;
  const suspects = [el("div", { class: "legend", style: "margin:-4px 0 12px" }, windowsLegend()), services.slice(0, data.num_shown).map(suspectCard)].flat();
  app.replaceChildren(...[header(answer, services), tabs(), findings(answer), timeline(answer, services), graph(answer, services),
    hasFindings ? el("details", {}, el("summary", {}, "What moved, service by service"), suspects) : [el("h2", {}, "Suspects"), suspects],
    fullRanking(answer), problems(),
    el("p", { class: "soft", style: "margin-top:28px;font-size:13px" },
      "Deviations: (mean since the alert − baseline median) / robust scale of the baseline. Times are UTC. Made by culprit; this page loads nothing from the network.")
  ].flat(2).filter(node => node));
}

draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
