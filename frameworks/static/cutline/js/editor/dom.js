/* Small help with elements: nothing here ever turns text into markup. */
const DIRECT = new Set(['value', 'checked', 'disabled', 'hidden', 'textContent', 'selected', 'readOnly', 'open']);

export function el(name, props = {}, ...children) {
  const element = document.createElement(name);
  Object.entries(props).forEach(([key, value]) => {
    if (value === undefined || value === null || value === false) { return; }
    if (key.startsWith('on')) {
      element.addEventListener(key.slice(2), value);
    } else if (key === 'class') {
      element.className = value;
    } else if (DIRECT.has(key)) {
      element[key] = value;
    } else {
      element.setAttribute(key, value === true ? '' : String(value));
    }
  });
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name) {
  return el('i', { class: `ti ti-${name}`, 'aria-hidden': 'true' });
}

export function byId(id) {
  return document.getElementById(id);
}

export function select(options, chosen, props) {
  const known = options.some(([value]) => value === chosen);
  const shown = known || chosen === undefined ? options : [[chosen, chosen === '' ? 'Choose…' : chosen], ...options];
  return el('select', { class: 'form-select', ...props }, shown.map(([value, words]) => el('option', { value, selected: value === chosen }, words)));
}

/* Replace what is in `box` and keep the focus, and the place in a text, where they were: `data-k` names a control. */
export function redraw(box, ...children) {
  const active = document.activeElement;
  const key = active && box.contains(active) ? active.dataset.k : '';
  const at = key && active.selectionStart !== undefined ? [active.selectionStart, active.selectionEnd] : null;
  const unfolded = new Set([...box.querySelectorAll('details[open][data-k]')].map((each) => each.dataset.k));
  box.replaceChildren(...children.flat().filter(Boolean));
  box.querySelectorAll('details[data-k]').forEach((each) => { each.open = unfolded.has(each.dataset.k); });
  if (!key) { return; }
  const again = box.querySelector(`[data-k="${CSS.escape(key)}"]`);
  if (!again) { return; }
  again.focus({ preventScroll: true });
  if (at && /^(text|search)$/.test(again.type || '')) { again.setSelectionRange(at[0], at[1]); }
}

export function swatch(rank, count) {
  if (rank < 1) { return 's0'; }
  if (count <= 4) { return `s${Math.min(rank, 4)}`; }
  return `s${1 + Math.min(Math.floor(((rank - 1) * 3) / (count - 1)), 3)}`;
}
