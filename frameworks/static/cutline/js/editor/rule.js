/* The segment in hand: its name and rules, as boxes or as text, and every problem at its place. */
import { toast } from '../toast.js';
import { Builder } from './builder.js';
import { current, documentAt, labelOf, live, nameOf, page, payload, placesOf, saidOf, segments, store, textOf, view } from './context.js';
import { byId, el, icon, redraw, select, swatch } from './dom.js';
import { choose, removeSegment } from './sides.js';

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

export function drawRule() {
  const segment = current();
  const box = byId('ed-rule');
  if (!segment) { redraw(box, el('div', { class: 'bd' }, el('p', { class: 't-2' }, 'No segment yet. Add the first one on the left.'))); return; }
  const places = placesOf(segment);
  if (!places.includes(view.place)) { view.place = places[0] || ''; }
  const rank = segments().indexOf(segment) + 1;
  redraw(box,
    el('div', { class: 'hd' }, el('span', { class: `sw ${swatch(rank, segments().length)}` }), el('h2', {}, segment.body.label || segment.key),
      places.length > 1 ? el('span', { class: 'seg-c', role: 'group', 'aria-label': 'Rules of this segment' }, places.map((place) => el('button', { type: 'button', 'data-k': `p-${place}`, 'aria-pressed': String(place === view.place), onclick: () => choose(segment.key, place) }, nameOf(segment, place)))) : null,
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
    } }), el('p', { class: 'f-err xs', id: 'rule-text-e', 'data-text-error': true, hidden: true }), el('p', { class: 'form-hint', 'data-text-unclear': true, role: 'status', hidden: true }), el('p', { class: 'form-hint' }, 'For example: arr >= 100000 USD and employee_count in [200, 1000)'))
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
}

/* --- problems */

function pointerOf(place) { return place.startsWith('rules/') ? `/${place}/criteria` : `/${place}`; }

export function showProblems() {
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
  const unclear = box.querySelector('[data-text-unclear]');
  if (unclear) {
    const said = view.said.rules?.[segment?.key]?.[view.place];
    unclear.hidden = !said?.unclear;
    unclear.textContent = said?.unclear ? `${said.unclear.join(' ')} It is taken as: ${said.text}` : '';
  }
  box.querySelectorAll('[data-part-field]').forEach((field) => {
    const found = here.filter((problem) => problem.pointer === `/${field.dataset.partField}`);
    mark(field, found);
  });
  byId('ed-settings').querySelectorAll('[data-setting]').forEach((field) => {
    mark(field, view.said.problems.filter((problem) => problem.kind === 'dimension' && problem.pointer.split('/')[1] === field.dataset.setting));
  });
  listProblems();
  listUnclear();
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

/* Texts that two readers may take differently, with the parentheses that saving stores: the stored rule has one reading. */
function listUnclear() {
  const note = byId('ed-unclear');
  const found = segments().flatMap(({ key }) => Object.entries(view.said.rules?.[key] ?? {}).filter(([, said]) => said.unclear).map(([place, said]) => ({ key, place, said })));
  note.hidden = !found.length;
  const row = ({ key, place, said }) => el('li', {}, el('button', { class: 'link', type: 'button', onclick: () => { view.asText = true; choose(key, place); } }, labelOf(key)), `: ${said.unclear.join(' ')} It is taken, and saved, as `, el('code', {}, said.text));
  note.querySelector('.fill').replaceChildren(el('b', {}, `${found.length === 1 ? 'A rule' : `${found.length} rules`} can be read in two ways`), el('ul', { class: 'plain' }, found.slice(0, 12).map(row)));
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
