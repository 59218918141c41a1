/* The rule builder: groups as boxes, leaves as rows. Which operators there are, and which fields each has, comes from
   the vocabulary the page was given; only ranges and groups are drawn in a way of their own. */
import { el, icon, select } from './dom.js';
import * as tree from './tree.js';

const CHOICES = [['', 'leaves it open'], ['true', 'counts as met'], ['false', 'counts as not met']];

export class Builder {
  /* `edit(change, merge)` gets a function over the document; `choices(node)` asks what each missing choice moves. */
  constructor({ vocabulary, mayEdit, edit, choices, attribute }) {
    this.attributes = new Map(vocabulary.attributes.map((each) => [each.key, each]));
    this.dimensions = new Map(vocabulary.dimensions.map((each) => [each.key, each]));
    this.forms = vocabulary.forms;
    this.lists = vocabulary.lists || [];
    this.mayEdit = mayEdit;
    this.edit = edit;
    this.choices = choices;
    this.attribute = attribute;
  }

  /* --- the vocabulary */

  formOf(node) {
    const forms = this.forms.filter((form) => form.op === node.op);
    return forms.find((form) => form.variant && node[form.variant]) || forms[0];
  }

  formsFor(node) {
    if (node.attribute !== undefined) {
      const attribute = this.attributes.get(node.attribute);
      return this.forms.filter((form) => form.subject === 'attribute' && (!attribute || form.types.includes(attribute.type)));
    }
    return this.forms.filter((form) => form.subject === 'dimension');
  }

  emptyValue(field) {
    if (field.default !== undefined) { return undefined; }
    const empty = { choice: () => field.options[0][0], integer: () => field.min ?? 1, literals: () => [], texts: () => [], segments: () => [], details: () => ({}) }[field.kind];
    return field.required ? (empty ? empty() : '') : undefined;
  }

  /* A node of this form, keeping of the old one what it has a place for. */
  made(form, old, subject) {
    const node = { id: old.id, op: form.op, ...subject };
    form.fields.forEach((field) => {
      const kept = old[field.name];
      const fits = kept !== undefined && Array.isArray(kept) === ['literals', 'texts', 'segments'].includes(field.kind);
      const value = fits ? kept : this.emptyValue(field);
      if (value !== undefined) { node[field.name] = value; }
    });
    if (form.has_bounds) {
      const bounds = ['ge', 'gt', 'lt', 'le'].filter((name) => old[name] !== undefined);
      if (bounds.length) { bounds.forEach((name) => { node[name] = old[name]; }); } else { Object.assign(node, { ge: old.value ?? '', lt: '' }); }
    } else if (node.value === '' && (old.ge ?? old.gt) !== undefined) {
      node.value = old.ge ?? old.gt;
    }
    if (form.may_default && old.missing) { node.missing = old.missing; }
    if (form.may_match_exactly && old.match) { node.match = old.match; }
    return node;
  }

  newLeaf(root) {
    const attribute = this.attribute();
    const form = this.formsFor({ attribute })[0];
    const preferred = this.formsFor({ attribute }).find((each) => each.op === 'ge') || form;
    return this.made(preferred, { id: tree.freshId(root) }, { attribute });
  }

  /* --- drawing */

  draw(document_) {
    this.document = document_;
    return el('div', { class: 'rb-t' }, this.node(document_.root, '/root'));
  }

  node(node, path) {
    const form = this.formOf(node);
    if (!form) { return this.unknown(node, path); }
    const drawn = form.subject === 'group' || form.subject === 'wrap' ? this.box(node, form, path) : this.leaf(node, form, path);
    drawn.dataset.node = node.id;
    drawn.dataset.path = path;
    return drawn;
  }

  unknown(node, path) {
    return el('div', { class: 'rl-w', 'data-node': node.id || '', 'data-path': path }, el('p', { class: 'sm' }, `This page does not know the operator “${node.op}”. Edit the rule as text.`), this.errorLine(node));
  }

  box(node, form, path) {
    const children = form.subject === 'wrap'
      ? [this.node(node.item, `${path}/item`)]
      : (node.items || []).map((item, at) => this.node(item, `${path}/items/${at}`));
    const head = el('div', { class: 'flex' }, form.subject === 'wrap' ? el('b', { class: 'sm' }, form.label) : this.kinds(node),
      form.fields.map((field) => this.field(node, field)),
      this.mayEdit && form.subject === 'group' && el('span', { class: 'sp flex' },
        el('button', { class: 'btn btn-g', type: 'button', 'data-k': `c-${node.id}`, onclick: () => this.add(node, (root) => this.newLeaf(root)) }, icon('plus'), 'Condition'),
        el('button', { class: 'btn btn-g', type: 'button', 'data-k': `g-${node.id}`, onclick: () => this.add(node, (root) => this.newGroup(root, node)) }, icon('brackets'), 'Group')),
      this.mayEdit && this.menu(node, form));
    return el('div', { class: 'grp', role: 'group', 'aria-label': form.label }, head, this.errorLine(node), children);
  }

  newGroup(root, node) {
    const group = { id: tree.freshId(root), op: node.op === 'any' ? 'all' : 'any', items: [] };
    group.items.push(this.newLeaf(root));
    return group;
  }

  add(node, make) {
    let made = null;
    this.edit((document_) => {
      made = make(document_.root);
      tree.find(document_.root, node.id).items.push(made);
    });
    const first = made.items ? made.items[0] : made;
    window.document.querySelector(`[data-k="s-${CSS.escape(first.id)}"]`)?.focus();
  }

  /* All of, any of, at least: the same items under another verdict. */
  kinds(node) {
    const groups = this.forms.filter((form) => form.subject === 'group');
    return el('span', { class: 'seg-c', role: 'group', 'aria-label': 'Group type' }, groups.map((form) => el('button', {
      type: 'button', 'aria-pressed': String(form.op === node.op), disabled: !this.mayEdit, 'data-k': `t-${node.id}-${form.op}`,
      onclick: () => this.edit((document_) => {
        const found = tree.find(document_.root, node.id);
        const made = { ...this.made(form, found, {}), items: found.items };
        tree.replace(document_, node.id, made);
      }),
    }, form.label)));
  }

  leaf(node, form, path) {
    const row = el('div', { class: 'rl e' }, this.subjects(node, form), this.operators(node, form),
      el('span', { class: 'rl-v' }, form.has_bounds ? this.bounds(node) : null, form.fields.filter((field) => !field.aside).map((field) => this.field(node, field))),
      this.mayEdit && el('span', { class: 'flex fx' }, this.menu(node, form),
        el('button', { class: 'btn btn-g btn-i', type: 'button', 'aria-label': 'Remove condition', disabled: !tree.canRemove(this.document, node.id), 'data-k': `r-${node.id}`, onclick: () => this.edit((document_) => tree.remove(document_, node.id)) }, icon('x'))));
    const notes = el('div', { class: 'rl-n xs t-3' });
    if (node.missing) { notes.append(`Missing ${CHOICES.find(([value]) => value === node.missing)[1]}. `); }
    if (node.match) { notes.append('Exact spelling. '); }
    form.fields.filter((field) => field.aside && node[field.name] !== undefined).forEach((field) => notes.append(`${field.label} ${new Map(field.options).get(node[field.name]) || node[field.name]}. `));
    return el('div', { class: 'rl-w', onkeydown: (event) => this.shortcut(event, node) }, row, notes.textContent ? notes : null, this.errorLine(node));
  }

  shortcut(event, node) {
    if (!this.mayEdit || !event.altKey || !['ArrowUp', 'ArrowDown'].includes(event.key)) { return; }
    event.preventDefault();
    this.edit((document_) => tree.move(document_, node.id, event.key === 'ArrowUp' ? -1 : 1));
  }

  /* What the leaf looks at: an attribute, another dimension, or something of its own. */
  subjects(node, form) {
    const chosen = node.attribute !== undefined ? `a ${node.attribute}` : node.dimension !== undefined ? `d ${node.dimension}` : `o ${node.op}`;
    const groups = [
      ['Attributes', [...this.attributes.values()].map((each) => [`a ${each.key}`, each.label])],
      ['Dimensions', [...this.dimensions.values()].map((each) => [`d ${each.key}`, each.label])],
      ['Other', this.forms.filter((each) => each.subject === 'alone').map((each) => [`o ${each.op}`, each.label])],
    ];
    if (!groups.some(([, options]) => options.some(([value]) => value === chosen))) { groups.unshift(['Unknown', [[chosen, chosen.slice(2) || 'Choose…']]]); }
    const box = el('select', { class: 'form-select', 'aria-label': 'What to look at', disabled: !this.mayEdit, 'data-k': `s-${node.id}`, 'data-field': form.subject === 'dimension' ? 'dimension' : 'attribute', onchange: (event) => this.choose(node, event.target.value) },
      groups.filter(([, options]) => options.length).map(([label, options]) => el('optgroup', { label }, options.map(([value, words]) => el('option', { value, selected: value === chosen }, words)))));
    return box;
  }

  choose(node, value) {
    const key = value.slice(2);
    const subject = { a: { attribute: key }, d: { dimension: key }, o: {} }[value[0]];
    const forms = value[0] === 'o' ? this.forms.filter((form) => form.op === key) : this.formsFor(subject);
    const form = forms.find((each) => each.op === node.op) || forms.find((each) => each.op === 'ge') || forms[0];
    const was = this.attributes.get(node.attribute);
    const is = this.attributes.get(key);
    const keeps = was && is && was.type === is.type && was.type !== 'choice';
    this.edit((document_) => tree.replace(document_, node.id, this.made(form, keeps ? node : { id: node.id, missing: node.missing }, subject)));
  }

  operators(node, form) {
    if (form.subject === 'alone') { return el('span', {}); }
    const forms = this.formsFor(node);
    const options = forms.map((each) => [each.variant ? `${each.op} ${each.variant}` : each.op, each.label]);
    const chosen = form.variant ? `${form.op} ${form.variant}` : form.op;
    return select(options, chosen, {
      'aria-label': 'Operator', disabled: !this.mayEdit, 'data-k': `o-${node.id}`, 'data-field': 'op',
      onchange: (event) => {
        const [op, variant] = event.target.value.split(' ');
        const next = forms.find((each) => each.op === op && (each.variant || undefined) === variant);
        const subject = node.attribute !== undefined ? { attribute: node.attribute } : { dimension: node.dimension };
        const old = variant ? { ...node, [variant]: node.any_of || node.none_of || [] } : node;
        this.edit((document_) => tree.replace(document_, node.id, this.made(next, old, subject)));
      },
    });
  }

  /* --- fields */

  set(node, name, value, merge = '') {
    this.edit((document_) => {
      const found = tree.find(document_.root, node.id);
      if (value === undefined) { delete found[name]; } else { found[name] = value; }
    }, merge);
  }

  field(node, field) {
    const draw = { literal: this.literal, literals: this.literals, texts: this.literals, integer: this.integer, choice: this.choice, segments: this.segments, details: this.details, text: this.text, list: this.list }[field.kind];
    return draw.call(this, node, field);
  }

  common(node, field, label = field.label) {
    return { 'aria-label': label, disabled: !this.mayEdit, 'data-k': `f-${node.id}-${field.name}`, 'data-field': field.name };
  }

  input(node, field, value, props, onvalue) {
    return el('input', { class: 'form-control', type: 'text', autocomplete: 'off', spellcheck: 'false', value: String(value ?? '').replace(/^(-?\d+)\.0+$/, '$1'), ...this.common(node, field, props.label), inputmode: props.inputmode, oninput: (event) => onvalue(event.target.value) });
  }

  withUnit(input, unit) {
    return el('span', { class: 'inp fill' }, input, unit && el('span', { class: 'u', 'aria-hidden': 'true' }, unit));
  }

  literal(node, field) {
    const attribute = this.attributes.get(node.attribute);
    if (attribute && attribute.type === 'choice') {
      return select(attribute.choices, node[field.name] ?? '', { ...this.common(node, field), onchange: (event) => this.set(node, field.name, event.target.value) });
    }
    const unit = attribute && (attribute.unit || { date: 'YYYY-MM-DD', datetime: 'with zone' }[attribute.type]);
    const merge = `${node.id} ${field.name}`;
    const input = this.input(node, field, node[field.name], { label: unit ? `${field.label}, ${unit}` : field.label, inputmode: attribute && attribute.scale !== undefined && /integer|decimal|money/.test(attribute.type) ? 'decimal' : undefined }, (value) => this.set(node, field.name, value.trim(), merge));
    return this.withUnit(input, unit);
  }

  text(node, field) {
    const empty = field.required ? '' : undefined;
    return this.input(node, field, node[field.name], { label: field.label }, (value) => this.set(node, field.name, value.trim() || empty, `${node.id} ${field.name}`));
  }

  list(node, field) {
    if (!this.lists.length) { return this.text(node, field); }
    return select(this.lists, node[field.name] ?? '', { ...this.common(node, field), onchange: (event) => this.set(node, field.name, event.target.value) });
  }

  integer(node, field) {
    const read = (text) => (/^-?\d{1,9}$/.test(text.trim()) ? Number(text) : text.trim() || (field.required ? '' : undefined));
    const input = this.input(node, field, node[field.name], { label: field.label, inputmode: 'numeric' }, (value) => this.set(node, field.name, read(value), `${node.id} ${field.name}`));
    input.classList.add('short');
    return field.name === 'n' || field.name === 'k' ? input : el('label', { class: 'flex fx xs t-2' }, el('span', {}, field.label), input);
  }

  choice(node, field) {
    // An optional choice that is not made means its first option.
    return select(field.options, String(node[field.name] ?? field.default ?? (field.required ? '' : field.options[0][0])), { ...this.common(node, field), onchange: (event) => {
      const value = event.target.value;
      this.set(node, field.name, value === '' || value === field.default || (!field.required && value === field.options[0][0]) ? undefined : value);
    } });
  }

  literals(node, field) {
    const attribute = this.attributes.get(node.attribute);
    if (attribute && attribute.choices.length) { return this.ticks(node, field, attribute.choices); }
    return el('textarea', { class: 'form-control', rows: String(Math.min(6, Math.max(2, (node[field.name] || []).length))), spellcheck: 'false', placeholder: 'One value per line', ...this.common(node, field, `${field.label}, one per line`), value: (node[field.name] || []).join('\n'), oninput: (event) => this.set(node, field.name, event.target.value.split('\n').map((line) => line.trim()).filter(Boolean), `${node.id} ${field.name}`) });
  }

  segments(node, field) {
    const dimension = this.dimensions.get(node.dimension);
    return this.ticks(node, field, dimension ? dimension.segments : []);
  }

  ticks(node, field, options) {
    const chosen = node[field.name] || [];
    const strays = chosen.filter((value) => !options.some(([known]) => known === value)).map((value) => [value, value]);
    return el('span', { class: 'ticks-r', role: 'group', 'aria-label': field.label, 'data-field': field.name }, [...options, ...strays].map(([value, words]) => el('label', { class: 'fld-c' },
      el('input', { class: 'form-check-input', type: 'checkbox', checked: chosen.includes(value), disabled: !this.mayEdit, 'data-k': `f-${node.id}-${field.name}-${value}`, onchange: (event) => this.set(node, field.name, event.target.checked ? [...chosen, value] : chosen.filter((each) => each !== value)) }), words)));
  }

  details(node, field) {
    const written = Object.entries(node[field.name] || {}).map(([key, value]) => `${key}: ${value}`).join('\n');
    return el('textarea', { class: 'form-control', rows: '2', spellcheck: 'false', placeholder: 'role: sales_ops', ...this.common(node, field, `${field.label}, one “name: value” per line`), value: written, oninput: (event) => {
      const pairs = event.target.value.split('\n').filter((line) => line.trim()).map((line) => line.split(/:(.*)/s).map((piece) => (piece || '').trim()));
      this.set(node, field.name, pairs.length ? Object.fromEntries(pairs.map(([key, value]) => [key, value || ''])) : field.required ? {} : undefined, `${node.id} ${field.name}`);
    } });
  }

  bounds(node) {
    return [['ge', 'gt', 'From', ['included', 'not incl.']], ['lt', 'le', 'Up to', ['not incl.', 'included']]].map(([first, second, label, words]) => {
      const name = node[second] !== undefined ? second : first;
      const state = words[name === first ? 0 : 1];
      const attribute = this.attributes.get(node.attribute);
      const unit = attribute && attribute.unit ? `, ${attribute.unit}` : '';
      const input = this.input(node, { name, label }, node[name], { label: `${label}, ${state}${unit}`, inputmode: 'decimal' }, (value) => this.set(node, name, value.trim(), `${node.id} ${name}`));
      return el('span', { class: 'inp fill bound' }, input, el('button', { class: 'u u-b', type: 'button', disabled: !this.mayEdit, 'data-k': `b-${node.id}-${first}`, 'aria-label': `${label}: ${state}. Press to change.`, onclick: () => this.edit((document_) => {
        const found = tree.find(document_.root, node.id);
        const other = name === first ? second : first;
        found[other] = found[name];
        delete found[name];
      }) }, state));
    });
  }

  /* --- what else can be done with a node */

  menu(node, form) {
    const act = (label, change, { enabled = true } = {}) => el('button', { class: 'nv', type: 'button', disabled: !enabled, onclick: () => { box.open = false; this.edit(change); } }, label);
    const { document: document_ } = this;
    const box = el('details', { class: 'nm', 'data-k': `m-${node.id}` }, el('summary', { class: 'btn btn-g btn-i', 'aria-label': 'More for this node', 'data-k': `ms-${node.id}` }, icon('dots')),
      el('div', { class: 'nm-b' },
        form.may_default && this.missing(node),
        form.fields.filter((field) => field.aside).map((field) => el('label', { class: 'nm-f' }, el('span', { class: 'xs t-2' }, field.label), this.field(node, field))),
        form.may_match_exactly && (this.attributes.get(node.attribute) || {}).type === 'text' && el('label', { class: 'fld-c' }, el('input', { class: 'form-check-input', type: 'checkbox', checked: node.match === 'exact', onchange: (event) => this.set(node, 'match', event.target.checked ? 'exact' : undefined) }), 'Exact spelling only'),
        act('Move up', (d) => tree.move(d, node.id, -1), { enabled: node !== document_.root }),
        act('Move down', (d) => tree.move(d, node.id, 1), { enabled: node !== document_.root }),
        act('Move into the group above', (d) => tree.enter(d, node.id), { enabled: node !== document_.root }),
        act('Move out of its group', (d) => tree.leave(d, node.id), { enabled: node !== document_.root }),
        act('Put into a group', (d) => tree.wrap(d, node.id, { op: 'any', items: [] })),
        ...this.forms.filter((each) => each.subject === 'wrap').map((each) => act(each.op === 'not' ? 'Negate' : `Make it ${each.label.toLowerCase()}`, (d) => tree.wrap(d, node.id, { ...this.made(each, { id: 'x' }, {}), id: tree.freshId(d.root), item: null }))),
        (node.item || node.items) && act('Dissolve this box', (d) => tree.unwrap(d, node.id), { enabled: tree.canUnwrap(document_, node.id) }),
        (node.item || node.items) && act('Remove with all in it', (d) => tree.remove(d, node.id), { enabled: tree.canRemove(document_, node.id) })));
    box.addEventListener('keydown', (event) => { if (event.key === 'Escape' && box.open) { box.open = false; box.querySelector('summary').focus(); event.stopPropagation(); } });
    return box;
  }

  missing(node) {
    const box = select(CHOICES, node.missing || '', { 'aria-label': 'A missing value', 'data-k': `x-${node.id}`, onchange: (event) => this.set(node, 'missing', event.target.value || undefined) });
    const ask = el('button', { class: 'link xs', type: 'button', onclick: async () => {
      ask.textContent = 'Counting…';
      const moved = await this.choices(node);
      ask.textContent = moved ? 'Counted' : 'Counts wait until every rule can be read';
      if (!moved) { return; }
      [...box.options].forEach((option) => {
        const [, words] = CHOICES.find(([value]) => value === option.value);
        const count = moved[option.value];
        option.textContent = `${words}: ${count ? `moves ${count.toLocaleString('en-US')} account${count === 1 ? '' : 's'}` : 'moves nobody'}`;
      });
    } }, 'How many would each move?');
    return el('label', { class: 'nm-f' }, el('span', { class: 'xs t-2' }, 'When the value is missing, this'), box, ask);
  }

  /* --- problems, put beside what they are about without drawing anything anew */

  errorLine(node) {
    return el('p', { class: 'f-err xs', id: `e-${node.id}`, 'data-error': node.id, hidden: true });
  }

  static show(box, problems, lead) {
    box.querySelectorAll('[data-error]').forEach((line) => { line.hidden = true; line.textContent = ''; });
    box.querySelectorAll('[aria-invalid]').forEach((input) => { input.removeAttribute('aria-invalid'); input.removeAttribute('aria-describedby'); input.classList.remove('is-invalid'); });
    return problems.filter((problem) => !Builder.place(box, problem, lead));
  }

  /* True when the problem found its node. */
  static place(box, problem, lead) {
    const pointer = problem.pointer.startsWith(lead) ? problem.pointer.slice(lead.length) : '';
    const holders = [...box.querySelectorAll('[data-path]')].filter((each) => pointer === each.dataset.path || pointer.startsWith(`${each.dataset.path}/`));
    const holder = holders.sort((a, b) => b.dataset.path.length - a.dataset.path.length)[0];
    const line = holder && holder.querySelector(`[data-error="${CSS.escape(holder.dataset.node)}"]`);
    if (!line) { return false; }
    line.hidden = false;
    line.textContent = `${line.textContent ? `${line.textContent} ` : ''}${problem.message}`;
    const name = pointer.slice(holder.dataset.path.length + 1).split('/')[0];
    const inputs = [...holder.querySelectorAll('[data-field]')].filter((each) => each.closest('[data-path]') === holder);
    const input = inputs.find((each) => each.dataset.field === name) || (name ? null : inputs.find((each) => each.matches('input')));
    if (input) {
      input.setAttribute('aria-invalid', 'true');
      input.setAttribute('aria-describedby', line.id);
      input.classList.add('is-invalid');
    }
    return true;
  }
}
