/* Cutlines: where the rules being edited, and those before them, cut an attribute. */
import { attributes, documentAt, labelOf, page, placesOf, segments, view } from './context.js';
import { byId, swatch } from './dom.js';
import * as tree from './tree.js';
import { toNumber } from './values.js';

const bounds = ['ge', 'gt', 'lt', 'le'];

export function* linesOf(parts, attribute) {
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

export function cutsOf(attribute) {
  const lines = [...linesOf(segments().map((each) => [each.key, each.body]), attribute)];
  const linked = byId('ed-linked')?.checked ?? true;
  const groups = new Map();
  const held = new Set(view.frozen ? view.frozen.ids : []);
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
export function colouring(attribute) {
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

export function usedAttributes() {
  const used = new Set();
  segments().forEach((segment) => placesOf(segment).forEach((place) => {
    for (const [node] of documentAt(segment, place)?.root ? tree.walk(documentAt(segment, place).root) : []) { if (attributes.has(node.attribute)) { used.add(node.attribute); } }
  }));
  return [...used];
}
