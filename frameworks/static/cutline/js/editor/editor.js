/* The dimension editor: one state, seen by ladder, settings, rules and figures; checked, counted, undone, saved. */
import { toast } from '../toast.js';
import { attributes, live, page, payload, segments, store, view } from './context.js';
import { usedAttributes } from './cutlines.js';
import { byId, el } from './dom.js';
import { countAgain, drawAttributes, drawCounts, drawCuts, drawMarks, look, stretchAgain } from './figures.js';
import { findAgain } from './findings.js';
import { drawRule, showProblems } from './rule.js';
import { drawLadder, drawSettings } from './sides.js';
import { isOnAxis } from './values.js';

let opened = structuredClone(store.state);
let checking = 0;
let stretching = 0;

/* `merge` names what is being typed or dragged: fields in use are not drawn anew under somebody's hands. */
function changed({ merge }) {
  const typed = merge !== '';
  const isCut = merge.startsWith('cut ');
  if (!isCut) { view.frozen = null; }
  clearTimeout(checking);
  checking = setTimeout(check, typed ? 140 : 0);
  clearTimeout(stretching);
  stretching = setTimeout(() => { stretchAgain(); findAgain(drawMarks); }, 700);
  if (!typed || isCut) { drawRule(); }
  if (!typed) { drawAttributes(); drawSettings(); }
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
    findAgain(drawMarks);
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
store.adopted = () => drawState();
byId('ed-linked')?.addEventListener('change', () => { view.frozen = null; drawCuts(); });
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
document.addEventListener('click', (event) => document.querySelectorAll('details.nm[open]').forEach((menu) => { if (!menu.contains(event.target)) { menu.open = false; } }));
addEventListener('beforeunload', (event) => { if (page.mayEdit && store.isDirty) { event.preventDefault(); } });

drawLadder();
drawSettings();
drawRule();
drawCounts();
drawState();
countAgain();
const first = usedAttributes().find((key) => isOnAxis(attributes.get(key))) || usedAttributes()[0] || page.vocabulary.attributes[0]?.key;
if (first) { look(first); } else { drawAttributes(); }
findAgain(drawMarks);
document.body.dataset.ready = '1';
