/* Figures: counts before and after, gaps and overlaps, and the histogram with its cutlines. */
import { Chart } from './chart.js';
import { attributes, documentAt, labelOf, live, page, payload, segments, store, view } from './context.js';
import { colouring, cutsOf, linesOf, usedAttributes } from './cutlines.js';
import { byId, el, redraw, select, swatch } from './dom.js';
import { emptyMarks } from './findings.js';
import { drawLadder } from './sides.js';
import * as tree from './tree.js';
import { isOnAxis, money, number, shown, signed, toText } from './values.js';

const chart = new Chart({
  mayEdit: page.mayEdit,
  move(cut, value, merge) {
    const attribute = attributes.get(view.attribute);
    if (!view.frozen || view.frozen.id !== cut.id) { view.frozen = { id: cut.id, ids: cut.lines.map((line) => line.id) }; }
    const text = toText(attribute, value);
    store.change((state) => {
      cut.lines.forEach((line) => {
        const segment = state.segments.find((each) => each.key === line.segment);
        tree.find(documentAt(segment, line.place).root, line.node)[line.field] = text;
        if (state.texts[line.segment]) { delete state.texts[line.segment][line.place]; }
      });
    }, { merge: `cut ${merge}` });
  },
  done: () => store.endMerge(),
});

/* --- counts */

export function drawCounts() {
  const { counts, before } = view;
  const rows = [...segments().map((segment, at) => [segment.key, segment.body.label, swatch(at + 1, segments().length)]), ['', 'Unassigned', 's0']];
  byId('ed-counts').replaceChildren(...rows.map(([key, label, colour]) => {
    const after = counts?.segments[key] || { accounts: 0, arr: '0' };
    const was = before?.segments[key] || { accounts: 0, arr: '0' };
    const delta = counts && before ? after.accounts - was.accounts : 0;
    return el('div', { 'data-count': key || 'unassigned' }, el('div', { class: 'flex xs t-2' }, el('span', { class: `sw ${colour}` }), label), el('div', { class: 'flex mt1' }, el('b', { class: 'num lg' }, counts ? number(after.accounts) : '–'), delta ? el('span', { class: 'xs num t-2' }, signed(delta)) : null), el('div', { class: 'xs t-3 num' }, counts ? money(after.arr, page.currency) : '', delta && before ? ` from ${money(was.arr, page.currency)}` : ''));
  }));
  byId('ed-counts').classList.toggle('stale', !counts || view.isStale);
  const reasons = counts ? counts.reasons.map((each) => `${each.label.toLowerCase()} ${number(each.accounts)}`) : [];
  const against = view.since ? `Compared with ${view.since === 'today' ? 'the assignments of today' : 'the draft as it was opened'}.` : '';
  byId('ed-reasons').replaceChildren(el('span', {}, view.isStale ? 'Counts wait until every rule can be read.' : reasons.length ? `Unassigned: ${reasons.join(', ')}.` : counts ? 'Nobody is Unassigned.' : 'Counting…'), el('span', { class: 'sp xs t-3' }, against));
}

export function countAgain() {
  live.ask('preview', () => ({ ...payload(), before: !view.before }), ({ status, data }) => {
    view.isStale = status !== 200;
    if (status === 200) {
      view.counts = data.after;
      if (data.before) { view.before = data.before; view.since = data.since; }
      document.body.dataset.counted = String(Number(document.body.dataset.counted || 0) + 1);
    }
    drawCounts();
    drawLadder();
  });
}

export function stretchAgain() {
  const attribute = attributes.get(view.attribute);
  if (!attribute) { return; }
  const cuts = () => [...new Set([...linesOf(segments().map((each) => [each.key, each.body]), attribute)].map((line) => line.value))];
  live.ask('stretches', () => ({ ...payload(), attribute: attribute.key, cuts: cuts() }), ({ status, data }) => {
    if (status !== 200) { return; }
    view.stretches = data.stretches;
    drawStretches(attribute);
  });
}

function drawStretches(attribute) {
  const onAxis = isOnAxis(attribute);
  const where = (each) => (each.low === null || !onAxis ? `${attribute.label} ${each.low === null && onAxis ? 'missing' : 'any'}` : each.low === each.high ? shown(attribute, each.low) : `${shown(attribute, each.low)} to ${shown(attribute, each.high)}`);
  const what = (each) => (each.kind === 'gap' ? [el('b', { class: 'warn' }, 'Gap'), el('br'), el('span', { class: 't-2' }, 'No segment is true')] : [el('b', { class: 'warn' }, 'Overlap'), el('br'), el('span', { class: 't-2' }, each.segment ? `${labelOf(each.segment)} wins over ${each.losers.map(labelOf).join(', ')}` : `${each.losers.map(labelOf).join(' and ')} are both true`)]);
  const rows = view.stretches.slice(0, 12).map((each) => el('tr', {}, el('td', {}, what(each)), el('td', { class: 't-2 num' }, where(each)), el('td', {}, each.examples.map((account, at) => [at ? ', ' : '', el('a', { class: 'in', href: `/accounts/${account.uuid}/` }, account.name)]).flat()), el('td', { class: 'r' }, number(each.accounts))));
  byId('ed-stretched').textContent = view.stretches.length > rows.length ? `the ${rows.length} largest of ${view.stretches.length}` : '';
  byId('ed-stretches').replaceChildren(rows.length ? el('table', { class: 'tb mw' }, el('caption', {}, `Gaps and overlaps along ${attribute.label}, with example accounts`), el('thead', {}, el('tr', {}, ['Finding', attribute.label, 'For example'].map((words) => el('th', { scope: 'col' }, words)), el('th', { scope: 'col', class: 'r' }, 'Accounts'))), el('tbody', {}, rows)) : el('p', { class: 'bd sm t-2' }, 'Every account falls into exactly one segment.'));
  drawMarks();
}

export function drawMarks() {
  const attribute = attributes.get(view.attribute);
  if (!attribute) { return; }
  const seen = view.stretches.filter((each) => each.low !== null).map((each) => ({ kind: each.kind, low: each.low, high: each.high, words: `${each.kind}, ${number(each.accounts)}` }));
  chart.setMarks(isOnAxis(attribute) ? [...seen, ...emptyMarks(attribute)] : []);
}

/* --- the histogram */

export function drawAttributes() {
  const used = usedAttributes().slice(0, 4);
  const rest = page.vocabulary.attributes.filter((each) => !used.includes(each.key));
  redraw(byId('ed-attributes'),
    used.length ? el('span', { class: 'seg-c', role: 'group', 'aria-label': 'Attribute' }, used.map((key) => el('button', { type: 'button', 'data-k': `h-${key}`, 'aria-pressed': String(key === view.attribute), onclick: () => look(key) }, attributes.get(key).label))) : null,
    rest.length ? select([['', 'Another…'], ...rest.map((each) => [each.key, each.label])], used.includes(view.attribute) ? '' : view.attribute, { 'aria-label': 'Another attribute', 'data-k': 'h-other', onchange: (event) => event.target.value && look(event.target.value) }) : null);
}

const histograms = new Map();

export async function look(key) {
  const attribute = attributes.get(key);
  view.attribute = key;
  view.frozen = null;
  drawAttributes();
  if (!histograms.has(key)) {
    byId('ed-missing').textContent = 'Counting…';
    const { status, data } = await live.post(page.urls.histogram, { attribute: key });
    if (status !== 200) { byId('ed-missing').textContent = data.detail; return; }
    histograms.set(key, data);
  }
  if (view.attribute !== key) { return; }
  const data = histograms.get(key);
  byId('hist-h').textContent = `${attribute.label} of ${number(data.present)} accounts`;
  const missing = data.accounts - data.present;
  byId('ed-missing').textContent = [missing ? `${number(missing)} have no value` : '', data.below ? `${number(data.below)} lie below the axis` : ''].filter(Boolean).join(', ');
  drawBars(attribute, data);
  chart.show(attribute, data);
  drawCuts();
  stretchAgain();
}

function drawBars(attribute, data) {
  const names = new Map(attribute.choices);
  const rows = data.kind === 'values' ? data.values.map(([value, count]) => [names.get(value) || value, count]) : data.bars.map(([from, to, count]) => [`${shown(attribute, from)} up to but not including ${shown(attribute, to)}`, count]);
  byId('ed-bars').replaceChildren(el('table', { class: 'tb' }, el('caption', {}, `Accounts by ${attribute.label}`), el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, attribute.label), el('th', { scope: 'col', class: 'r' }, 'Accounts'))), el('tbody', {}, rows.map(([words, count]) => el('tr', {}, el('th', { scope: 'row' }, words), el('td', { class: 'r' }, number(count)))))));
}

export function drawCuts() {
  const attribute = attributes.get(view.attribute);
  if (!attribute) { return; }
  const cuts = isOnAxis(attribute) ? cutsOf(attribute) : [];
  chart.setCuts(cuts, colouring(attribute));
  byId('ed-chart').setAttribute('aria-label', `Histogram of ${attribute.label}${histograms.get(view.attribute)?.kind === 'log' ? ' on a logarithmic scale' : ''}${cuts.length ? `, cutlines at ${cuts.filter((cut) => !cut.was).map((cut) => shown(attribute, cut.value)).join(', ')}` : ''}`);
}
