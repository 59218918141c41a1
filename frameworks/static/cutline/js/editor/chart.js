/* The histogram with its cutlines. Bars are drawn by ECharts; the cutlines are sliders laid over them, so that a mouse,
   a finger and the arrow keys all move them. */
import { axis, base, colours } from '../charts.js';
import { byId, el } from './dom.js';
import { number, rounded, shown, stepAt, tick } from './values.js';

const GRID = { left: 46, right: 18, top: 52, bottom: 44 };

export class Chart {
  /* `move(cut, value, merge)` sets a cutline; `done()` ends a move. */
  constructor({ mayEdit, move, done }) {
    this.mayEdit = mayEdit;
    this.move = move;
    this.done = done;
    this.data = null;
    this.rankAt = () => 's0';
    this.cuts = [];
    this.marks = [];
    this.plot = byId('ed-chart');
    this.over = byId('ed-cuts');
    let timer = 0;
    addEventListener('resize', () => { clearTimeout(timer); timer = setTimeout(() => this.draw(), 120); });
    document.addEventListener('cutline:theme', () => this.draw());
  }

  show(attribute, data) {
    this.attribute = attribute;
    this.data = data;
    this.draw();
  }

  /* --- the axis */

  get isLog() { return this.data.kind === 'log'; }

  scaled(value) { return this.isLog ? Math.log10(Math.max(value, this.low)) : value; }

  get low() { return this.data.bars.length ? this.data.bars[0][0] : 0; }

  get high() { return this.data.bars.length ? this.data.bars[this.data.bars.length - 1][1] : 1; }

  x(value) {
    const at = Math.min(Math.max(value, this.low), this.high);
    const share = (this.scaled(at) - this.scaled(this.low)) / (this.scaled(this.high) - this.scaled(this.low) || 1);
    return GRID.left + share * (this.plot.clientWidth - GRID.left - GRID.right);
  }

  valueAt(x) {
    const share = Math.min(1, Math.max(0, (x - GRID.left) / (this.plot.clientWidth - GRID.left - GRID.right)));
    const at = this.scaled(this.low) + share * (this.scaled(this.high) - this.scaled(this.low));
    return rounded(this.attribute, this.isLog ? 10 ** at : at, this.isLog ? 0 : this.high - this.low);
  }

  ticks() {
    if (this.isLog) {
      const from = Math.ceil(Math.log10(this.low) - 1e-9);
      const all = Array.from({ length: Math.floor(Math.log10(this.high) + 1e-9) - from + 1 }, (_, at) => 10 ** (from + at));
      return all.length > 1 ? all : [this.low, this.high];
    }
    const { bars } = this.data;
    const every = Math.max(1, Math.ceil(bars.length / (this.plot.clientWidth < 480 ? 3 : 7)));
    return bars.filter((_, at) => at % every === 0).map(([from]) => from);
  }

  /* --- drawing */

  draw() {
    if (!this.data || !window.echarts) { return; }
    this.chart?.dispose();
    this.chart = window.echarts.init(this.plot, null, { renderer: 'svg' });
    const p = colours();
    this.chart.setOption(this.data.kind === 'values' ? this.valuesOption(p) : this.barsOption(p));
    this.drawCuts();
  }

  barsOption(p) {
    const option = base(p);
    const { bars } = this.data;
    option.animation = false;
    option.grid = GRID;
    option.xAxis = axis(p, { type: 'value', min: this.scaled(this.low), max: this.scaled(this.high), splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: p['line-strong'] } }, axisLabel: { show: false } });
    option.yAxis = axis(p, { type: 'value', splitNumber: 3 });
    option.tooltip.formatter = (at) => `${shown(this.attribute, bars[at.dataIndex][0])} up to but not including ${shown(this.attribute, bars[at.dataIndex][1])}\n${number(bars[at.dataIndex][2])} accounts`;
    option.series = [{
      type: 'custom', encode: { x: [0, 1], y: 2 }, data: bars.map(([from, to, count]) => [this.scaled(from), this.scaled(to), count]),
      renderItem: (params, api) => {
        const [left, top] = api.coord([api.value(0), api.value(2)]);
        const [right, floor] = api.coord([api.value(1), 0]);
        const [from, to] = bars[params.dataIndex];
        return { type: 'rect', shape: { x: left + 0.75, y: top, width: Math.max(1, right - left - 1.5), height: floor - top, r: [2, 2, 0, 0] }, style: { fill: p[this.rankAt(this.isLog ? Math.sqrt(from * to) : (from + to) / 2)] } };
      },
    }];
    option.graphic = this.ticks().map((at) => ({ type: 'text', x: this.x(at), y: this.plot.clientHeight - GRID.bottom + 6, silent: true, style: { text: tick(this.attribute, at), fill: p['ink-3'], font: `11px ${getComputedStyle(document.body).fontFamily}`, textAlign: 'center' } }));
    return option;
  }

  valuesOption(p) {
    const option = base(p);
    option.animation = false;
    option.grid = { ...GRID, top: 14, bottom: 64 };
    const names = new Map(this.attribute.choices);
    option.xAxis = axis(p, { type: 'category', data: this.data.values.map(([value]) => names.get(value) || value), axisLabel: { color: p['ink-3'], fontSize: 11, rotate: this.data.values.length > 6 ? 35 : 0, width: 84, overflow: 'truncate' } });
    option.yAxis = axis(p, { type: 'value', splitNumber: 3 });
    option.series = [{ type: 'bar', data: this.data.values.map(([, count]) => count), itemStyle: { color: p.s3 }, barMaxWidth: 40 }];
    return option;
  }

  /* cuts: [{id, value, label, was, moved, lines}], rankAt(value): colour class of the segment that claims it */
  setCuts(cuts, rankAt) {
    this.cuts = cuts;
    const before = this.colouring;
    this.rankAt = rankAt;
    this.colouring = JSON.stringify(cuts.filter((cut) => !cut.was).map((cut) => [cut.value, cut.label]));
    if (this.data && this.chart && before !== this.colouring && this.data.kind !== 'values') { this.chart.setOption(this.barsOption(colours())); }
    this.drawCuts();
  }

  setMarks(marks) {
    this.marks = marks;
    this.drawCuts();
  }

  drawCuts() {
    if (!this.data || this.data.kind === 'values') { this.over.replaceChildren(); return; }
    const known = new Map([...this.over.querySelectorAll('[role=slider]')].map((each) => [each.dataset.cut, each]));
    const ends = [-999, -999];
    const drawn = this.cuts.filter((cut) => Number.isFinite(cut.value)).sort((a, b) => a.value - b.value).map((cut) => {
      const x = this.x(cut.value);
      const words = cut.was ? `${shown(this.attribute, cut.value)} ${cut.was}` : shown(this.attribute, cut.value);
      const half = words.length * 3.4 + 4;
      const level = x - half > ends[0] ? 0 : x - half > ends[1] ? 1 : 2;
      if (level < 2) { ends[level] = x + half; }
      const handle = cut.was ? el('div', { class: 'cut was' }) : known.get(cut.id) || this.handle(cut.id);
      handle.className = `cut${cut.was ? ' was' : ''}${cut.moved ? ' moved' : ''} l${level}`;
      if (!cut.was) { this.describe(handle, cut, words); }
      handle.style.left = `${x}px`;
      handle.replaceChildren(el('span', { class: 'cut-w num' }, words));
      return handle;
    });
    const kept = new Set(drawn);
    [...this.over.children].filter((each) => !kept.has(each)).forEach((each) => each.remove());
    drawn.forEach((each) => { if (each.parentNode !== this.over) { this.over.append(each); } });
    this.drawMarks();
  }

  /* `low` and `high` may be null: an open end. Marks nobody is in look lighter than those with accounts. */
  drawMarks() {
    const taken = [];
    this.marks.forEach((mark) => {
      const [from, to] = [this.x(mark.low ?? this.low), this.x(mark.high ?? this.high)];
      const x = (from + to) / 2;
      if (mark.kind === 'gap' || mark.isEmpty) {
        const band = el('span', { class: `gap-b${mark.isEmpty ? ` nobody ${mark.kind}` : ''}`, 'aria-hidden': 'true' });
        band.style.left = `${from}px`;
        band.style.width = `${Math.max(3, to - from)}px`;
        this.over.append(band);
      }
      if (taken.some((other) => Math.abs(other - x) < 120)) { return; }
      taken.push(x);
      const label = el('span', { class: 'gap-m xs', 'aria-hidden': 'true' }, `${mark.isEmpty ? '△' : '▲'} ${mark.words}`);
      label.style.left = `${Math.min(Math.max(x, 64), this.plot.clientWidth - 70)}px`;
      this.over.append(label);
    });
  }

  handle(id) {
    const handle = el('div', { role: 'slider', 'data-cut': id, tabindex: this.mayEdit ? '0' : undefined });
    if (!this.mayEdit) { handle.setAttribute('aria-disabled', 'true'); return handle; }
    handle.addEventListener('pointerdown', (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.classList.add('held');
      this.held = { id, from: event.clientX };
      event.preventDefault();
      handle.focus({ preventScroll: true });
    });
    handle.addEventListener('pointermove', (event) => {
      if (!this.held || this.held.id !== id || Math.abs(event.clientX - this.held.from) < 2) { return; }
      this.held.from = -1e6;
      this.set(id, this.valueAt(event.clientX - this.plot.getBoundingClientRect().left), `drag ${id}`);
    });
    ['pointerup', 'pointercancel'].forEach((name) => handle.addEventListener(name, () => {
      if (this.held) { this.held = null; handle.classList.remove('held'); this.done(); }
    }));
    handle.addEventListener('keydown', (event) => {
      const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 1, PageDown: -1 }[event.key];
      if (!way) { return; }
      event.preventDefault();
      const cut = this.cuts.find((each) => each.id === id);
      const coarse = event.key.startsWith('Page') || event.shiftKey;
      const step = stepAt(this.attribute, way < 0 ? cut.value - 1e-9 : cut.value, coarse);
      const to = Math.round((cut.value + way * step) / step) * step;
      this.set(id, Number(to.toFixed(9)), `keys ${id}`);
    });
    return handle;
  }

  set(id, value, merge) {
    const cut = this.cuts.find((each) => each.id === id);
    if (cut && cut.value !== value) { this.move(cut, value, merge); }
  }

  describe(handle, cut, words) {
    const said = { 'aria-label': cut.label, 'aria-valuenow': cut.value, 'aria-valuetext': words, 'aria-valuemin': Math.min(this.low, cut.value), 'aria-valuemax': Math.max(this.high, cut.value), 'aria-orientation': 'horizontal', title: cut.label };
    Object.entries(said).forEach(([name, value]) => handle.setAttribute(name, String(value)));
  }
}
