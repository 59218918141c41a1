/* The dimension editor: ladder, settings, rules, histogram and counts over one state that can be undone and saved. */
import { toast } from '../toast.js';
import { Builder } from './builder.js';
import { Chart } from './chart.js';
import { byId, el, icon, redraw, select, swatch } from './dom.js';
import { Live } from './live.js';
import { Store, sorted } from './store.js';
import * as tree from './tree.js';
import { isOnAxis, money, number, signed, shown, toNumber, toText } from './values.js';

const page = JSON.parse(byId('editor-data').textContent);
const live = new Live(page.urls, byId('editor').dataset.csrf);
const store = new Store({ dimension: page.dimension, segments: page.segments, removed: [], texts: {} });
const attributes = new Map(page.vocabulary.attributes.map((each) => [each.key, each]));
const view = { segment: page.segments[0]?.key, place: 'rules/0', asText: false, attribute: '', said: page.said, counts: null, before: null, stretches: [] };
const bounds = ['ge', 'gt', 'lt', 'le'];
let frozen = null;
let opened = structuredClone(store.state);

/* --- the state, seen from the page */

const segments = () => store.state.segments;
const current = () => segments().find((each) => each.key === view.segment) || segments()[0];
const labelOf = (key) => segments().find((each) => each.key === key)?.body.label || key;
const saidOf = (key, place) => view.said.rules[key]?.[place];
const textOf = (key, place) => store.state.texts[key]?.[place];

function placesOf(segment) {
  return [...(segment.body.rules || []).map((_, at) => `rules/${at}`), ...page.stateful.filter((name) => segment.body[name])];
}

function documentAt(segment, place) {
  const [name, at] = place.split('/');
  return name === 'rules' ? segment.body.rules?.[Number(at)]?.criteria : segment.body[name];
}

function nameOf(segment, place) {
  const [name, at] = place.split('/');
  if (name !== 'rules') { return { move: 'To move in', stay: 'To stay' }[name] || name; }
  return `Rule ${segment.body.rules[Number(at)].key}`;
}

function payload() {
  const { dimension, removed, texts } = store.state;
  return { dimension, segments: segments().map(({ key, digest, body }) => ({ key, digest, body })), removed, texts };
}

/* --- thresholds of the attribute the histogram shows */

function* linesOf(parts, attribute) {
  for (const [segment, body] of parts) {
    const places = [...(body.rules || []).map((rule, at) => [`rules/${at}`, rule.criteria]), ...page.stateful.map((name) => [name, body[name]])];
    for (const [place, found] of places) {
      for (const [node] of found && found.root ? tree.walk(found.root) : []) {
        if (node.attribute !== attribute.key) { continue; }
        for (const field of [...bounds, 'value']) {
          const value = toNumber(attribute, node[field]);
          if (Number.isFinite(value) && typeof node[field] === 'string' && node.op !== 'change') {
            yield { id: `${segment} ${place} ${node.id} ${field}`, segment, place, node: node.id, op: node.op, field, value };
          }
        }
      }
    }
  }
}

function cutsOf(attribute) {
  const lines = [...linesOf(segments().map((each) => [each.key, each.body]), attribute)];
  const linked = byId('ed-linked')?.checked ?? true;
  const groups = new Map();
  const held = new Set(frozen ? frozen.ids : []);
  lines.forEach((line) => {
    const key = held.has(line.id) ? 'held' : linked ? `${line.value}` : line.id;
    if (!groups.has(key)) { groups.set(key, []); }
    groups.get(key).push(line);
  });
  const was = new Map([...linesOf(Object.entries(page.base.segments), attribute)].map((line) => [line.id, line.value]));
  const values = new Set(lines.map((line) => line.value));
  const gone = [...new Set([...was.values()])].filter((value) => !values.has(value)).map((value) => ({ id: `was ${value}`, value, was: page.base.label }));
  return [...gone, ...[...groups.values()].map((group) => ({
    id: group[0].id, value: group[0].value, lines: group, moved: group.some((line) => was.get(line.id) !== line.value),
    label: `${attribute.label}: ${[...new Set(group.map((line) => `${labelOf(line.segment)} ${line.field === 'lt' || line.field === 'le' || /^l[te]$/.test(line.op) ? 'up to' : 'from'}`))].join(', ')}`,
  }))];
}

/* The segment that would claim a value by this attribute alone: first in precedence with a range around it. */
function colouring(attribute) {
  const ranges = segments().map((each, at) => {
    const found = [];
    (each.body.rules || []).forEach((rule) => {
      for (const [node] of rule.criteria?.root ? tree.walk(rule.criteria.root) : []) {
        if (node.attribute !== attribute.key) { continue; }
        const low = toNumber(attribute, node.ge ?? node.gt ?? (/^(ge|gt|after|on_or_after)$/.test(node.op) ? node.value : ''));
        const high = toNumber(attribute, node.lt ?? node.le ?? (/^(lt|le|before|on_or_before)$/.test(node.op) ? node.value : ''));
        if (Number.isFinite(low) || Number.isFinite(high)) { found.push([Number.isFinite(low) ? low : -Infinity, Number.isFinite(high) ? high : Infinity]); }
      }
    });
    return [at + 1, found];
  });
  return (value) => {
    const claim = ranges.find(([, found]) => found.some(([low, high]) => value >= low && value < high));
    return swatch(claim ? claim[0] : 0, segments().length);
  };
}

const chart = new Chart({
  mayEdit: page.mayEdit,
  move(cut, value, merge) {
    const attribute = attributes.get(view.attribute);
    if (!frozen || frozen.id !== cut.id) { frozen = { id: cut.id, ids: cut.lines.map((line) => line.id) }; }
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

/* --- the ladder */

const ladder = byId('ed-ladder');

function drawLadder() {
  const count = segments().length;
  redraw(ladder, segments().map((segment, at) => {
    const { key, body } = segment;
    const isCurrent = key === current()?.key;
    const places = placesOf(segment);
    const said = saidOf(key, places[0]);
    const after = view.counts ? view.counts.segments[key] || { accounts: 0, arr: '0' } : null;
    const summary = places.length > 1 ? `${places.length} rules` : said ? said.sentence : places.length ? 'This rule cannot be read yet' : 'No rule yet';
    const isChanged = !page.base.segments[key] || sorted(page.base.segments[key]) !== sorted(body);
    return el('li', { 'data-label': body.label, class: isCurrent ? 'on' : '', 'aria-current': isCurrent ? 'true' : undefined },
      el('input', { type: 'hidden', name: 'order', value: key }),
      page.mayEdit ? el('button', { class: 'grip', type: 'button', 'data-k': `grip-${key}`, 'aria-label': `Move ${body.label}; use arrow keys` }, icon('grip-vertical')) : el('span', {}),
      el('span', { class: `sw ${swatch(at + 1, count)}` }),
      el('span', { class: 'fill' }, el('button', { class: 'link lad-b', type: 'button', 'data-k': `seg-${key}`, onclick: () => choose(key) }, el('span', { 'data-place': true }, String(at + 1)), ` ${body.label}`), isChanged ? el('span', { class: 'chip a' }, page.base.segments[key] ? 'changed' : 'new') : null, el('br'), el('span', { class: 'xs t-2 lad-s' }, summary)),
      el('span', { class: 'r sm' }, el('b', { class: 'num' }, after ? number(after.accounts) : '–'), el('br'), el('span', { class: 'xs t-3 num' }, after ? money(after.arr, page.currency) : '')));
  }));
  const policy = page.settings.find((form) => form.name === 'hit_policy');
  const chosen = store.state.dimension.body.hit_policy ?? policy?.default;
  byId('ed-order').textContent = { ranked: 'first true wins', basis_precedence: 'first basis, then first true', unique: 'only one may be true' }[chosen] || '';
  const most = byId('ed-most');
  if (most) { most.textContent = count > page.mostSegments ? `The policy warns above ${page.mostSegments} segments: there are ${count}.` : `The policy warns above ${page.mostSegments}.`; }
}

ladder.addEventListener('change', () => {
  const order = [...ladder.querySelectorAll('input[name=order]')].map((input) => input.value);
  if (order.join() === segments().map((each) => each.key).join()) { return; }
  store.change((state) => { state.segments.sort((a, b) => order.indexOf(a.key) - order.indexOf(b.key)); });
});

function choose(key, place = 'rules/0') {
  view.segment = key;
  view.place = place;
  drawLadder();
  drawRule();
}

byId('ed-add')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const input = byId('ed-new');
  const label = input.value.trim();
  const stem = label.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^[^a-z]+|_+$/g, '').slice(0, 50) || 'segment';
  if (!label) { input.focus(); return; }
  const taken = new Set([...segments(), ...store.state.removed.map((part) => ({ key: part.key.split('/')[1] }))].map((each) => each.key));
  let key = stem;
  for (let n = 2; taken.has(key); n += 1) { key = `${stem}_${n}`; }
  input.value = '';
  view.segment = key;
  view.place = 'rules/0';
  store.change((state) => { state.segments.push({ key, digest: '', playbook: '', body: { label, dimension: page.dimension.key, rules: [] } }); });
});

function removeSegment(segment) {
  store.change((state) => {
    state.segments = state.segments.filter((each) => each.key !== segment.key);
    const name = `${page.dimension.key}/${segment.key}`;
    if (segment.digest) { state.removed.push({ kind: 'segment', key: name, digest: segment.digest }); }
    if (segment.playbook) { state.removed.push({ kind: 'playbook', key: name, digest: segment.playbook }); }
    if (state.dimension.body.fallback === segment.key) { delete state.dimension.body.fallback; }
    delete state.texts[segment.key];
  });
}

/* --- settings */

function drawSettings() {
  const { body } = store.state.dimension;
  const set = (name, value) => store.change((state) => {
    if (value === undefined || value === '') { delete state.dimension.body[name]; } else { state.dimension.body[name] = value; }
  }, { merge: typeof value === 'number' ? `set ${name}` : '' });
  const label = (form, control) => el('div', { 'data-setting': form.name }, el('label', { class: 'form-label', for: `set-${form.name}` }, form.label), control, el('p', { class: 'f-err xs', hidden: true }));
  const common = (form) => ({ id: `set-${form.name}`, 'data-k': `set-${form.name}`, disabled: !page.mayEdit });
  const name = { name: 'label', label: 'Name of the dimension' };
  const controls = [label(name, el('input', { class: 'form-control', type: 'text', maxlength: '120', value: body.label ?? '', ...common(name), oninput: (event) => store.change((state) => { state.dimension.body.label = event.target.value; }, { merge: 'dimension label' }) }))];
  page.settings.forEach((form) => {
    if (form.kind === 'choice') {
      controls.push(label(form, select(form.options.map(([value, words]) => [String(value), words]), String(body[form.name] ?? form.default ?? ''), { ...common(form), onchange: (event) => set(form.name, event.target.value) })));
    } else if (form.kind === 'segment') {
      controls.push(label(form, select([['', form.empty], ...segments().map((each) => [each.key, each.body.label])], body[form.name] ?? '', { ...common(form), onchange: (event) => set(form.name, event.target.value) })));
    } else if (form.kind === 'switch') {
      controls.push(label(form, select([['', 'No'], ['1', 'Yes']], body[form.name] ? '1' : '', { ...common(form), onchange: (event) => set(form.name, event.target.value ? true : undefined) })));
    } else {
      const read = (text) => (form.kind === 'integer' && /^\d{1,9}$/.test(text.trim()) ? Number(text) : text.trim());
      controls.push(label(form, el('input', { class: 'form-control', type: 'text', inputmode: form.kind === 'integer' ? 'numeric' : undefined, value: body[form.name] ?? '', placeholder: form.default ? String(form.default) : 'Off', ...common(form), oninput: (event) => store.change((state) => { const value = read(event.target.value); if (value === '') { delete state.dimension.body[form.name]; } else { state.dimension.body[form.name] = value; } }, { merge: `set ${form.name}` }) })));
    }
    if (form.name === 'hit_policy') { controls.push(basisOrder(body)); }
  });
  redraw(byId('ed-settings'), controls);
}

function basisOrder(body) {
  if ((body.hit_policy ?? 'basis_precedence') !== 'basis_precedence') { return null; }
  const order = body.basis_order || page.bases;
  const move = (at, by) => store.change((state) => {
    const changed = [...order];
    [changed[at], changed[at + by]] = [changed[at + by], changed[at]];
    state.dimension.body.basis_order = changed;
  });
  return el('div', { role: 'group', 'aria-labelledby': 'basis-h' }, el('span', { class: 'form-label', id: 'basis-h' }, 'Order of bases'), el('ol', { class: 'bases' }, order.map((basis, at) => el('li', {}, el('span', { class: 'fill' }, basis),
    page.mayEdit && el('button', { class: 'btn btn-g btn-i', type: 'button', disabled: at === 0, 'data-k': `up-${basis}`, 'aria-label': `${basis}: earlier`, onclick: () => move(at, -1) }, icon('chevron-up')),
    page.mayEdit && el('button', { class: 'btn btn-g btn-i', type: 'button', disabled: at === order.length - 1, 'data-k': `down-${basis}`, 'aria-label': `${basis}: later`, onclick: () => move(at, 1) }, icon('chevron-down'))))));
}

/* --- the segment and its rules */

const builder = new Builder({
  vocabulary: page.vocabulary, mayEdit: page.mayEdit,
  attribute: () => view.attribute || page.vocabulary.attributes[0]?.key || '',
  edit: (change, merge = '') => editDocument(change, merge ? `${view.segment} ${view.place} ${merge}` : ''),
  choices: async (node) => {
    const { status, data } = await live.post(page.urls.choices, { ...payload(), segment: current().key, place: view.place, node: node.id });
    return status === 200 ? data.moved : null;
  },
});

function editDocument(change, merge) {
  const { key } = current();
  store.change((state) => {
    const segment = state.segments.find((each) => each.key === key);
    change(documentAt(segment, view.place));
    if (state.texts[key]) { delete state.texts[key][view.place]; }
  }, { merge });
}

function editSegment(change, merge = '') {
  const { key } = current();
  store.change((state) => change(state.segments.find((each) => each.key === key).body, state), { merge });
}

function drawRule() {
  const segment = current();
  const box = byId('ed-rule');
  if (!segment) { redraw(box, el('div', { class: 'bd' }, el('p', { class: 't-2' }, 'No segment yet. Add the first one on the left.'))); return; }
  const places = placesOf(segment);
  if (!places.includes(view.place)) { view.place = places[0] || ''; }
  const rank = segments().indexOf(segment) + 1;
  redraw(box,
    el('div', { class: 'hd' }, el('span', { class: `sw ${swatch(rank, segments().length)}` }), el('h2', {}, segment.body.label || segment.key),
      places.length > 1 || (places.length && page.stateful.length) ? el('span', { class: 'seg-c', role: 'group', 'aria-label': 'Rules of this segment' }, places.map((place) => el('button', { type: 'button', 'data-k': `p-${place}`, 'aria-pressed': String(place === view.place), onclick: () => choose(segment.key, place) }, nameOf(segment, place)))) : null,
      view.place ? el('span', { class: 'sp seg-c', role: 'group', 'aria-label': 'Editing mode' },
        el('button', { type: 'button', 'data-k': 'as-form', 'aria-pressed': String(!view.asText), onclick: () => asText(false) }, 'Builder'),
        el('button', { type: 'button', 'data-k': 'as-text', 'aria-pressed': String(view.asText), onclick: () => asText(true) }, 'Text')) : null),
    el('div', { class: 'bd stack' }, segmentFields(segment), view.place ? ruleBox(segment) : el('p', { class: 'sm t-2' }, 'No rule yet: accounts get here by override or as the fallback only.'), page.mayEdit ? ruleButtons(segment) : null));
  showProblems();
}

function segmentFields(segment) {
  const field = (name, label, control) => el('div', { 'data-part-field': name }, el('label', { class: 'form-label', for: `seg-${name}` }, label), control, el('p', { class: 'f-err xs', id: `seg-${name}-e`, hidden: true }));
  const fields = [field('label', 'Name', el('input', { class: 'form-control', id: 'seg-label', 'data-k': 'seg-label', type: 'text', maxlength: '120', disabled: !page.mayEdit, value: segment.body.label ?? '', oninput: (event) => editSegment((body) => { body.label = event.target.value; }, `label ${segment.key}`) }))];
  const [name, at] = view.place.split('/');
  const rule = name === 'rules' ? segment.body.rules[Number(at)] : null;
  if (rule) {
    fields.push(field(`rules/${at}/basis`, 'Basis of this rule', select(page.bases.map((basis) => [basis, basis[0].toUpperCase() + basis.slice(1)]), rule.basis, { id: `seg-rules/${at}/basis`, 'data-k': 'basis', disabled: !page.mayEdit, onchange: (event) => editSegment((body) => { body.rules[Number(at)].basis = event.target.value; }) })));
  }
  if (page.hasParent) {
    const options = [['', 'None'], ...segments().filter((each) => each.key !== segment.key).map((each) => [each.key, each.body.label])];
    fields.push(field('parent', 'Inside segment', select(options, segment.body.parent ?? '', { id: 'seg-parent', 'data-k': 'seg-parent', disabled: !page.mayEdit, onchange: (event) => editSegment((body) => { if (event.target.value) { body.parent = event.target.value; } else { delete body.parent; } }) })));
  }
  return el('div', { class: 'seg-f' }, fields);
}

function ruleBox(segment) {
  const said = saidOf(segment.key, view.place);
  const document_ = documentAt(segment, view.place);
  const place = view.place;
  const text = textOf(segment.key, place);
  const body = view.asText
    ? el('div', { class: 'rb-t' }, el('label', { class: 'form-label', for: 'rule-text' }, 'Rule as text'), el('textarea', { class: 'form-control code', id: 'rule-text', rows: '6', spellcheck: 'false', 'data-k': 'rule-text', readOnly: !page.mayEdit, value: text ?? said?.text ?? '', 'aria-describedby': 'rule-text-e', oninput: (event) => {
      const typed = event.target.value;
      store.change((state) => { state.texts[segment.key] = { ...state.texts[segment.key], [place]: typed }; }, { merge: `text ${segment.key} ${place}` });
    } }), el('p', { class: 'f-err xs', id: 'rule-text-e', 'data-text-error': true, hidden: true }), el('p', { class: 'form-hint' }, 'For example: arr >= 100000 USD and employee_count in [200, 1000)'))
    : document_ && document_.root ? builder.draw(document_) : el('p', { class: 'sm' }, 'This rule cannot be drawn. Edit it as text.');
  return el('div', { class: 'rb' }, el('div', { class: 'grp' }, body), el('p', { class: 'say', id: 'ed-say', 'aria-live': 'polite' }));
}

function sayRule() {
  const say = byId('ed-say');
  if (!say) { return; }
  const said = saidOf(current().key, view.place);
  const pieces = said ? said.pieces : [['', 'This rule cannot be read yet. Its sentence comes back when it can.']];
  say.classList.toggle('t-3', !said);
  say.replaceChildren(...pieces.map(([mark, words]) => (mark ? el(mark, {}, words) : words)), said ? '.' : '');
}

function ruleButtons(segment) {
  const addRule = () => {
    const taken = new Set((segment.body.rules || []).map((rule) => rule.key));
    let n = 1;
    while (taken.has(`rule_${n}`)) { n += 1; }
    view.asText = false;
    view.place = `rules/${(segment.body.rules || []).length}`;
    editSegment((body) => {
      const root = { id: 'n1', op: 'all', items: [] };
      root.items.push(builder.newLeaf(root));
      body.rules = [...(body.rules || []), { key: `rule_${n}`, basis: 'value', criteria: { schema: 'criteria/1', root } }];
    });
  };
  const addStateful = (name) => {
    view.place = name;
    editSegment((body) => {
      const root = { id: 'n1', op: 'all', items: [] };
      root.items.push(builder.newLeaf(root));
      body[name] = { schema: 'criteria/1', root };
    });
  };
  const removeRule = () => {
    const [name, at] = view.place.split('/');
    editSegment((body, state) => {
      if (name === 'rules') { body.rules = body.rules.filter((_, place) => place !== Number(at)); } else { delete body[name]; }
      // Texts are by place, and places have moved up.
      delete state.texts[segment.key];
    });
  };
  return el('div', { class: 'flex' },
    el('button', { class: 'btn', type: 'button', 'data-k': 'add-rule', onclick: addRule }, icon('plus'), 'Rule'),
    page.stateful.filter((name) => !segment.body[name]).map((name) => el('button', { class: 'btn btn-g', type: 'button', 'data-k': `add-${name}`, onclick: () => addStateful(name) }, icon('plus'), { move: 'Criteria to move in', stay: 'Criteria to stay' }[name] || name)),
    view.place ? el('button', { class: 'btn btn-g', type: 'button', 'data-k': 'rm-rule', onclick: removeRule }, `Remove ${nameOf(segment, view.place).toLowerCase()}`) : null,
    el('button', { class: 'btn btn-g sp', type: 'button', 'data-k': 'rm-seg', onclick: () => removeSegment(segment) }, `Remove ${segment.body.label}`));
}

function asText(wanted) {
  const { key } = current();
  const broken = view.said.problems.some((problem) => problem.segment === key && problem.line);
  if (!wanted && textOf(key, view.place) !== undefined) {
    if (broken) { toast('The text cannot be read yet.', 'Mend it first, or undo: nothing you typed is lost.', 'bad'); return; }
    store.adopt((state) => { delete state.texts[key][view.place]; if (!Object.keys(state.texts[key]).length) { delete state.texts[key]; } });
  }
  view.asText = wanted;
  drawRule();
  drawState();
}

/* --- problems */

function pointerOf(place) { return place.startsWith('rules/') ? `/${place}/criteria` : `/${place}`; }

function showProblems() {
  const segment = current();
  const box = byId('ed-rule');
  const here = view.said.problems.filter((problem) => problem.kind === 'segment' && problem.segment === segment?.key);
  const lead = pointerOf(view.place || '-');
  const inRule = here.filter((problem) => problem.pointer.startsWith(lead));
  let left = Builder.show(box, view.asText ? [] : inRule, lead);
  const textLine = box.querySelector('[data-text-error]');
  if (textLine) {
    textLine.hidden = !inRule.length;
    textLine.textContent = inRule.map((problem) => (problem.line ? `Line ${problem.line}, column ${problem.column}: ${problem.message}` : problem.message)).join(' ');
    byId('rule-text').classList.toggle('is-invalid', inRule.length > 0);
    byId('rule-text').setAttribute('aria-invalid', String(inRule.length > 0));
    left = [];
  }
  box.querySelectorAll('[data-part-field]').forEach((field) => {
    const found = here.filter((problem) => problem.pointer === `/${field.dataset.partField}`);
    mark(field, found);
  });
  byId('ed-settings').querySelectorAll('[data-setting]').forEach((field) => {
    mark(field, view.said.problems.filter((problem) => problem.kind === 'dimension' && problem.pointer.split('/')[1] === field.dataset.setting));
  });
  listProblems();
  sayRule();
  return left;
}

function mark(field, found) {
  const line = field.querySelector('.f-err');
  const input = field.querySelector('input, select');
  line.hidden = !found.length;
  line.textContent = found.map((problem) => problem.message).join(' ');
  input.classList.toggle('is-invalid', found.length > 0);
  if (found.length) { input.setAttribute('aria-invalid', 'true'); } else { input.removeAttribute('aria-invalid'); }
}

/* Everything that is wrong, also where it is not in sight; each leads to its place. */
function listProblems() {
  const note = byId('ed-problems');
  const { problems } = view.said;
  note.hidden = !problems.length;
  if (!problems.length) { return; }
  const row = (problem) => {
    const [, name, at] = problem.pointer.split('/');
    const place = name === 'rules' ? `rules/${at}` : page.stateful.includes(name) ? name : view.place;
    const where = problem.kind === 'segment' ? labelOf(problem.segment) : 'The dimension';
    return el('li', {}, problem.kind === 'segment' ? el('button', { class: 'link', type: 'button', onclick: () => { if (problem.line) { view.asText = true; } else if (textOf(problem.segment, place) === undefined) { view.asText = false; } choose(problem.segment, place); byId('ed-rule').querySelector('[aria-invalid=true]')?.focus(); } }, where) : el('b', {}, where), `: ${problem.line ? `line ${problem.line}, column ${problem.column}: ` : ''}${problem.message}`, problem.node ? el('span', { class: 't-3' }, ` (node ${problem.node})`) : null);
  };
  note.querySelector('.fill').replaceChildren(el('b', {}, `${problems.length} ${problems.length === 1 ? 'thing has' : 'things have'} to be mended before this can be saved`), el('ul', { class: 'plain' }, problems.slice(0, 12).map(row)));
}

/* --- counts */

function drawCounts() {
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

function countAgain() {
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

function stretchAgain() {
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
  const marks = view.stretches.filter((each) => each.low !== null).map((each) => ({ kind: each.kind, low: each.low, high: each.high, words: `${each.kind}, ${number(each.accounts)}` }));
  chart.setMarks(onAxis ? marks : []);
}

/* --- the histogram */

function usedAttributes() {
  const used = new Set();
  segments().forEach((segment) => placesOf(segment).forEach((place) => {
    for (const [node] of documentAt(segment, place)?.root ? tree.walk(documentAt(segment, place).root) : []) { if (attributes.has(node.attribute)) { used.add(node.attribute); } }
  }));
  return [...used];
}

function drawAttributes() {
  const used = usedAttributes().slice(0, 4);
  const rest = page.vocabulary.attributes.filter((each) => !used.includes(each.key));
  redraw(byId('ed-attributes'),
    used.length ? el('span', { class: 'seg-c', role: 'group', 'aria-label': 'Attribute' }, used.map((key) => el('button', { type: 'button', 'data-k': `h-${key}`, 'aria-pressed': String(key === view.attribute), onclick: () => look(key) }, attributes.get(key).label))) : null,
    rest.length ? select([['', 'Another…'], ...rest.map((each) => [each.key, each.label])], used.includes(view.attribute) ? '' : view.attribute, { 'aria-label': 'Another attribute', 'data-k': 'h-other', onchange: (event) => event.target.value && look(event.target.value) }) : null);
}

const histograms = new Map();

async function look(key) {
  const attribute = attributes.get(key);
  view.attribute = key;
  frozen = null;
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

function drawCuts() {
  const attribute = attributes.get(view.attribute);
  if (!attribute) { return; }
  const cuts = isOnAxis(attribute) ? cutsOf(attribute) : [];
  chart.setCuts(cuts, colouring(attribute));
  byId('ed-chart').setAttribute('aria-label', `Histogram of ${attribute.label}${histograms.get(view.attribute)?.kind === 'log' ? ' on a logarithmic scale' : ''}${cuts.length ? `, cutlines at ${cuts.filter((cut) => !cut.was).map((cut) => shown(attribute, cut.value)).join(', ')}` : ''}`);
}

/* --- everything together */

let checking = 0;
let stretching = 0;

function changed({ typed }) {
  if (!typed) { frozen = null; }
  clearTimeout(checking);
  checking = setTimeout(check, typed ? 140 : 0);
  clearTimeout(stretching);
  stretching = setTimeout(stretchAgain, 700);
  if (!typed) { drawRule(); drawAttributes(); drawSettings(); }
  drawLadder();
  drawCuts();
  drawState();
  countAgain();
}

function check() {
  live.ask('check', payload, ({ status, data }) => {
    if (status !== 200) { drawState(data.detail); return; }
    const hadText = Boolean(byId('rule-text'));
    view.said = data;
    store.adopt((state) => {
      Object.entries(state.texts).forEach(([key, places]) => Object.keys(places).forEach((place) => {
        const said = data.rules[key]?.[place];
        const segment = state.segments.find((each) => each.key === key);
        const [name, at] = place.split('/');
        if (!said || !segment) { return; }
        if (name === 'rules') { segment.body.rules[Number(at)].criteria = said.criteria; } else { segment.body[name] = said.criteria; }
      }));
    });
    if (!hadText && !byId('ed-rule').contains(document.activeElement)) { drawRule(); }
    showProblems();
    drawLadder();
    drawCuts();
    drawState();
  });
}

function drawState(words = '') {
  if (!page.mayEdit) { return; }
  const dirty = store.isDirty;
  byId('ed-save').disabled = !dirty;
  byId('ed-discard').disabled = !dirty;
  byId('ed-undo').disabled = !store.past.length;
  byId('ed-redo').disabled = !store.future.length;
  byId('ed-name').textContent = store.state.dimension.body.label || page.dimension.key;
  byId('ed-state').textContent = words || (dirty ? 'Changes not saved yet' : view.savedAt ? `Saved at ${view.savedAt}` : 'Nothing changed yet');
}

async function save() {
  if (!page.mayEdit || !store.isDirty || view.isSaving) { return; }
  view.isSaving = true;
  drawState('Saving…');
  let answer;
  try { answer = await live.post(page.urls.save, payload()); } catch { answer = { status: 0, data: { detail: 'Cutline cannot be reached. What you typed is kept here.' } }; }
  view.isSaving = false;
  const { status, data } = answer;
  if (status === 200) {
    store.adopt((state) => { state.texts = {}; });
    store.keep(data.digests);
    opened = structuredClone(store.state);
    view.savedAt = new Date().toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
    toast('Saved.', data.written.length ? `${data.written.length} ${data.written.length === 1 ? 'part is' : 'parts are'} ASSUMED until somebody confirms ${data.written.length === 1 ? 'it' : 'them'}.` : 'What was stored already reads the same.', 'ok');
    drawState();
    if (view.asText) { drawRule(); }
    return;
  }
  if (data.problems) { view.said = data; drawRule(); byId('ed-problems').scrollIntoView({ block: 'nearest' }); }
  if (data.conflicts) { showConflict(data); }
  toast(status === 409 ? 'Somebody was quicker.' : 'Nothing was saved.', data.detail || 'Try again in a moment.', 'bad');
  drawState('Not saved');
}

/* Both texts of every part somebody else saved meanwhile, and what can be done about it. Nothing typed is lost. */
function showConflict({ detail, conflicts }) {
  const dialog = byId('ed-conflict');
  const settle = (take) => {
    dialog.close();
    store.change((state) => conflicts.forEach((part) => takeOver(state, part, take)));
    if (!take) { save(); }
  };
  dialog.querySelector('.bd').replaceChildren(el('p', {}, detail),
    ...conflicts.map((part) => el('section', {}, el('h3', {}, part.key), el('div', { class: 'g-2' }, el('div', {}, el('p', { class: 'xs t-3' }, 'Theirs, as stored'), el('pre', { class: 'code', tabindex: '0' }, part.theirs || 'Taken out of the draft.')), el('div', {}, el('p', { class: 'xs t-3' }, 'Yours'), el('pre', { class: 'code', tabindex: '0' }, part.pieces.map(([how, words]) => (how ? el(how, {}, words) : words))))))),
    el('div', { class: 'flex mt3' }, el('button', { class: 'btn btn-p', type: 'button', onclick: () => settle(false) }, 'Save yours over theirs'), el('button', { class: 'btn', type: 'button', onclick: () => settle(true) }, 'Take theirs'), el('button', { class: 'btn btn-g', type: 'button', 'data-dialog-close': true }, 'Go on editing')));
  dialog.showModal();
}

function takeOver(state, part, takesTheirs) {
  const [, short] = part.key.split('/');
  const removed = state.removed.find((each) => each.kind === part.kind && each.key === part.key);
  const segment = state.segments.find((each) => each.key === short);
  const holder = removed || (part.kind === 'dimension' ? state.dimension : segment);
  if (holder) { holder.digest = part.digest; }
  if (!takesTheirs || !part.body) { return; }
  if (part.kind === 'dimension') {
    const { segments: order, ...body } = part.body;
    state.dimension.body = body;
    state.segments.sort((a, b) => order.indexOf(a.key) - order.indexOf(b.key));
  } else if (segment) {
    segment.body = part.body;
    delete state.texts[short];
  }
}

store.onChange(changed);
byId('ed-linked')?.addEventListener('change', () => { frozen = null; drawCuts(); });
byId('ed-undo')?.addEventListener('click', () => store.undo());
byId('ed-redo')?.addEventListener('click', () => store.redo());
byId('ed-save')?.addEventListener('click', save);
byId('ed-discard')?.addEventListener('click', () => store.change((state) => Object.assign(state, structuredClone(opened))));

document.addEventListener('keydown', (event) => {
  if (!page.mayEdit || !(event.ctrlKey || event.metaKey) || event.altKey) { return; }
  const key = event.key.toLowerCase();
  const act = key === 's' ? save : key === 'z' ? () => (event.shiftKey ? store.redo() : store.undo()) : key === 'y' ? () => store.redo() : null;
  if (!act) { return; }
  event.preventDefault();
  act();
});
addEventListener('beforeunload', (event) => { if (page.mayEdit && store.isDirty) { event.preventDefault(); } });

drawLadder();
drawSettings();
drawRule();
drawCounts();
drawState();
countAgain();
const first = usedAttributes().find((key) => isOnAxis(attributes.get(key))) || usedAttributes()[0] || page.vocabulary.attributes[0]?.key;
if (first) { look(first); } else { drawAttributes(); }
document.body.dataset.ready = '1';
