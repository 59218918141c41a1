/* The left column: the ladder of segments in precedence order, and how the dimension decides. */
import { current, page, placesOf, saidOf, segments, store, view } from './context.js';
import { byId, el, icon, redraw, select, swatch } from './dom.js';
import { drawRule } from './rule.js';
import { sorted } from './store.js';
import { money, number } from './values.js';

/* --- the ladder */

const ladder = byId('ed-ladder');

export function drawLadder() {
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

export function choose(key, place = 'rules/0') {
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

export function removeSegment(segment) {
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

export function drawSettings() {
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
