/* Charts: <div data-chart="kind" data-source="id of a json_script" role="img" aria-label="…">, drawn by ECharts.
   Load vendor/echarts/echarts.min.js (defer) before this module. Every chart has a data table beside it.
   Tooltips are drawn in the chart (richText): HTML ones carry style attributes, which style-src 'self' refuses. */
const root = document.documentElement;
const figures = new Intl.NumberFormat('en-US');
const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
const TOKENS = ['ink', 'ink-2', 'ink-3', 'line', 'line-strong', 'surface', 'raised', 'accent', 'bad', 'warn', 's0', 's1', 's2', 's3', 's4'];

export function colours() {
  const style = getComputedStyle(root);
  return Object.fromEntries(TOKENS.map((name) => [name, style.getPropertyValue(`--cl-${name}`).trim()]));
}

function money(value) {
  if (value >= 1e6) { return `$${(value / 1e6).toFixed(value % 1e6 ? 1 : 0)}M`; }
  return value >= 1e3 ? `$${Math.round(value / 1e3)}K` : `$${value}`;
}

function written(unit) {
  return (value) => (unit === 'usd' ? money(value) : unit === 'pct' ? `${value} %` : figures.format(value));
}

export function base(p) {
  return {
    animation: !still, animationDuration: 200,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: p['ink-2'], fontSize: 12 },
    tooltip: { renderMode: 'richText', backgroundColor: p.raised, borderColor: p.line, borderWidth: 1, padding: [8, 10], confine: true, textStyle: { color: p.ink, fontSize: 12 } },
  };
}

export function axis(p, extra) {
  return { axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: p.line } }, axisLabel: { color: p['ink-3'], fontSize: 11 }, ...extra };
}

const ruled = (p) => ({ splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: p['line-strong'] } } });

/* d: {min, max, unit, bins: [[from, to, count, rank]], ticks, cuts: [{at, name, moved, was, align}], areas, marks} */
function histogram(d, p, narrow) {
  const lg = Math.log10;
  const option = base(p);
  const line = (cut) => (cut.was ? p['ink-3'] : cut.moved ? p.accent : p.ink);
  option.grid = { left: 44, right: 20, top: 58, bottom: d.marks ? 50 : 30 };
  option.xAxis = axis(p, { type: 'value', min: lg(d.min), max: lg(d.max), ...ruled(p), axisLabel: { show: false } });
  option.yAxis = axis(p, { type: 'value', splitNumber: 3 });
  option.tooltip.formatter = (at) => {
    const [from, to, count] = d.bins[at.dataIndex];
    return `${figures.format(from)} up to but not including ${figures.format(to)} ${d.unit}\n${figures.format(count)} accounts`;
  };
  option.series = [{
    type: 'custom', encode: { x: [0, 1], y: 2 }, data: d.bins.map(([from, to, count, rank]) => [lg(from), lg(to), count, rank]),
    renderItem(_, api) {
      const [left, top] = api.coord([api.value(0), api.value(2)]);
      const [right, floor] = api.coord([api.value(1), 0]);
      return { type: 'rect', shape: { x: left + 0.75, y: top, width: Math.max(1, right - left - 1.5), height: floor - top, r: [2, 2, 0, 0] }, style: { fill: p[`s${api.value(3)}`] } };
    },
    markLine: {
      symbol: ['none', 'none'], silent: true, animation: false,
      data: d.cuts.map((cut) => ({
        xAxis: lg(cut.at), name: cut.name, lineStyle: { color: line(cut), width: cut.moved ? 2 : 1.25, type: cut.was ? [3, 3] : 'solid' },
        label: { show: !(narrow && cut.was), position: 'end', distance: cut.moved ? 22 : 7, formatter: cut.name, color: line(cut), fontWeight: cut.moved ? 600 : 500, fontSize: 11, backgroundColor: p.surface, padding: [1, 4], align: cut.align || 'center' },
      })),
    },
    markArea: { silent: true, data: (d.areas || []).map(([from, to]) => [{ xAxis: lg(from), itemStyle: { color: p.accent, opacity: 0.09 } }, { xAxis: lg(to) }]) },
  }];
  return option;
}

/* The ticks of a logarithmic axis and the marks under it can only be placed once the chart has its scale. */
function axisNotes(chart, element, d, p, narrow) {
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const below = d.marks ? 44 : 24;
  const x = (at) => chart.convertToPixel({ xAxisIndex: 0 }, Math.log10(at));
  const text = (at, y, words, fill, align) => ({ type: 'text', x: x(at), y: element.clientHeight - y, silent: true, style: { text: words, fill, font, textAlign: align } });
  const ring = (cut) => ({ type: 'circle', z: 20, silent: true, shape: { cx: x(cut.at), cy: 58, r: cut.moved ? 6 : 4.5 }, style: { fill: p.surface, stroke: cut.moved ? p.accent : p.ink, lineWidth: 2 } });
  chart.setOption({
    graphic: [
      ...d.ticks.map((at) => text(at, below, figures.format(at), p['ink-3'], 'center')),
      ...(d.marks || []).map(([at, words, align]) => text(at, 22, `▲ ${narrow ? words.split(',')[0] : words}`, p.warn, align)),
      ...d.cuts.filter((cut) => !cut.was).map(ring),
    ],
  });
}

/* d: {nodes: [{id: "a:Name", s, label, side}], links: [[from, to, count, "up" | "down" | "out"]]} */
function sankey(d, p, narrow) {
  const option = base(p);
  const side = narrow ? 108 : 124;
  const strength = { out: 0.28, down: 0.16 };
  option.series = [{
    type: 'sankey', animation: false, left: side, right: side, top: 12, bottom: 12, nodeWidth: 10, nodeGap: 20, layoutIterations: 0, draggable: false, emphasis: { focus: 'adjacency' },
    data: d.nodes.map((node) => ({ name: node.id, itemStyle: { color: p[`s${node.s}`], borderWidth: 0 }, label: { position: node.side, formatter: node.label, color: p.ink, fontSize: 12, lineHeight: 16, rich: { m: { color: p['ink-3'], fontSize: 11 } } } })),
    links: d.links.map(([source, target, value, way]) => ({ source, target, value, lineStyle: { color: way === 'out' ? p.bad : p.accent, opacity: strength[way] || 0.34, curveness: 0.5 } })),
  }];
  option.tooltip.formatter = (at) => (at.dataType === 'edge'
    ? `${at.data.source.slice(2)} → ${at.data.target.slice(2)}\n${figures.format(at.value)} accounts`
    : `${at.name.slice(2)}: ${figures.format(at.value)}`);
  return option;
}

/* d: {unit, min, max, x, right, series: [{name, s, y, dy, mark: [x, words]}]} */
function lines(d, p) {
  const option = base(p);
  const unit = written(d.unit);
  option.grid = { left: 46, right: d.right || 92, top: 14, bottom: 26 };
  Object.assign(option.tooltip, { trigger: 'axis', valueFormatter: unit });
  option.xAxis = axis(p, { type: 'category', data: d.x, boundaryGap: false, ...ruled(p) });
  option.yAxis = axis(p, { type: 'value', min: d.min, max: d.max, splitNumber: 4, axisLabel: { color: p['ink-3'], fontSize: 11, formatter: unit } });
  option.series = d.series.map((s) => ({
    name: s.name, type: 'line', data: s.y, symbol: 'none', itemStyle: { color: p[`s${s.s}`] },
    lineStyle: { width: s.s === 0 ? 1.5 : 2, color: p[`s${s.s}`], type: s.s === 0 ? [4, 3] : 'solid' },
    endLabel: { show: true, formatter: s.name, color: p['ink-2'], fontSize: 11, distance: 8, offset: [0, s.dy || 0] },
    markLine: s.mark && { symbol: 'none', silent: true, animation: false, data: [{ xAxis: s.mark[0] }], lineStyle: { color: p['ink-3'], type: [2, 3] }, label: { formatter: s.mark[1], position: 'insideEndTop', rotate: 0, color: p['ink-3'], fontSize: 11, align: 'right', distance: 4 } },
  }));
  return option;
}

/* d: {unit, min, max, x, y, cut, cutName} */
function spark(d, p) {
  const option = base(p);
  option.grid = { left: 2, right: 2, top: 6, bottom: 16 };
  Object.assign(option.tooltip, { trigger: 'axis', valueFormatter: written(d.unit) });
  option.xAxis = { type: 'category', data: d.x, axisLine: { show: false }, axisTick: { show: false }, boundaryGap: false, axisLabel: { color: p['ink-3'], fontSize: 11, interval: Math.max(0, d.x.length - 2), alignMinLabel: 'left', alignMaxLabel: 'right' } };
  option.yAxis = { type: 'value', show: false, min: d.min, max: d.max };
  option.series = [{
    type: 'line', data: d.y, connectNulls: false, symbol: 'circle', symbolSize: 4, lineStyle: { color: p.accent, width: 1.75 }, itemStyle: { color: p.accent },
    markLine: d.cut && { symbol: 'none', silent: true, animation: false, data: [{ yAxis: d.cut }], lineStyle: { color: p['ink-2'], type: [3, 3], width: 1 }, label: { show: true, position: 'insideStartTop', formatter: d.cutName, color: p['ink-2'], fontSize: 11 } },
  }];
  return option;
}

/* d: {unit, x, series: [{name, s, y}]} */
function stack(d, p) {
  const option = base(p);
  const unit = written(d.unit);
  option.grid = { left: 42, right: 8, top: 8, bottom: 26 };
  Object.assign(option.tooltip, { trigger: 'axis', valueFormatter: unit, axisPointer: { type: 'shadow' } });
  option.xAxis = axis(p, { type: 'category', data: d.x, ...ruled(p) });
  option.yAxis = axis(p, { type: 'value', splitNumber: 3, axisLabel: { color: p['ink-3'], fontSize: 11, formatter: unit } });
  option.series = d.series.map((s) => ({ name: s.name, type: 'bar', stack: 'a', data: s.y, barMaxWidth: 22, itemStyle: { color: p[`s${s.s}`], borderColor: p.surface, borderWidth: 0.75 } }));
  return option;
}

const kinds = { histogram, sankey, lines, spark, stack };
let drawn = [];

function drawOne(element, p) {
  const data = JSON.parse(document.getElementById(element.dataset.source).textContent);
  const chart = window.echarts.init(element, null, { renderer: 'svg' });
  const narrow = element.clientWidth < 480;
  chart.setOption(kinds[element.dataset.chart](data, p, narrow));
  if (element.dataset.chart === 'histogram') { axisNotes(chart, element, data, p, narrow); }
  return chart;
}

function draw() {
  drawn.forEach((chart) => chart.dispose());
  const p = colours();
  drawn = [...document.querySelectorAll('[data-chart]')].map((element) => drawOne(element, p));
}

let timer = 0;
addEventListener('resize', () => { clearTimeout(timer); timer = setTimeout(draw, 120); });
document.addEventListener('cutline:theme', draw);
document.addEventListener('htmx:afterSettle', (event) => { if (event.target.querySelector('[data-chart]')) { draw(); } });
draw();
