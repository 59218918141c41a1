/* Criteria documents as trees: finding, adding, moving and wrapping nodes. Ids stay with their nodes. */

export function* walk(node, path = '') {
  if (!node || typeof node !== 'object') { return; }
  yield [node, path];
  if (node.item) { yield* walk(node.item, `${path}/item`); }
  const items = node.items || [];
  for (let at = 0; at < items.length; at += 1) { yield* walk(items[at], `${path}/items/${at}`); }
}

export function find(root, id) {
  for (const [node] of walk(root)) { if (node.id === id) { return node; } }
  return null;
}

export function parentOf(root, id) {
  for (const [node] of walk(root)) {
    if ((node.item && node.item.id === id) || (node.items || []).some((item) => item.id === id)) { return node; }
  }
  return null;
}

/* An id no node of the document has, nor had while it was edited: comments on a removed node do not move to a new one. */
const given = new Set();
export function freshId(root) {
  const taken = new Set([...walk(root)].map(([node]) => node.id));
  let number = 1;
  while (taken.has(`n${number}`) || given.has(`n${number}`)) { number += 1; }
  given.add(`n${number}`);
  return `n${number}`;
}

export function replace(document_, id, made) {
  if (document_.root.id === id) { document_.root = made; return; }
  const parent = parentOf(document_.root, id);
  if (parent.item && parent.item.id === id) { parent.item = made; return; }
  parent.items = parent.items.map((item) => (item.id === id ? made : item));
}

export function remove(document_, id) {
  const parent = parentOf(document_.root, id);
  if (parent && parent.items) { parent.items = parent.items.filter((item) => item.id !== id); }
}

export function canRemove(document_, id) {
  const parent = parentOf(document_.root, id);
  return Boolean(parent && parent.items);
}

/* Up or down among its neighbours; past the end of a group it leaves the group. */
export function move(document_, id, by) {
  const parent = parentOf(document_.root, id);
  if (!parent) { return false; }
  const at = (parent.items || []).findIndex((item) => item.id === id);
  const to = at + by;
  if (parent.items && to >= 0 && to < parent.items.length) {
    [parent.items[at], parent.items[to]] = [parent.items[to], parent.items[at]];
    return true;
  }
  return leave(document_, id, by);
}

export function leave(document_, id, by = -1) {
  const parent = parentOf(document_.root, id);
  let branch = parent;
  let outer = parent && parentOf(document_.root, parent.id);
  while (outer && !outer.items) { branch = outer; outer = parentOf(document_.root, outer.id); }
  if (!outer || !parent.items) { return false; }
  const node = parent.items.find((item) => item.id === id);
  parent.items = parent.items.filter((item) => item.id !== id);
  const at = outer.items.findIndex((item) => item.id === branch.id);
  outer.items.splice(by < 0 ? at : at + 1, 0, node);
  return true;
}

/* Into the group just before it. */
export function enter(document_, id) {
  const parent = parentOf(document_.root, id);
  const at = parent && parent.items ? parent.items.findIndex((item) => item.id === id) : -1;
  if (at < 1 || !parent.items[at - 1].items) { return false; }
  parent.items[at - 1].items.push(parent.items[at]);
  parent.items.splice(at, 1);
  return true;
}

export function wrap(document_, id, made) {
  const node = find(document_.root, id);
  const outer = { id: freshId(document_.root), ...made };
  replace(document_, id, outer);
  if ('item' in outer) { outer.item = node; } else { outer.items = [node]; }
}

/* Takes a box away and leaves what is in it. */
export function unwrap(document_, id) {
  const node = find(document_.root, id);
  const inside = node.item ? [node.item] : node.items;
  const parent = parentOf(document_.root, id);
  if (inside.length === 1) { replace(document_, id, inside[0]); return; }
  if (parent && parent.items) {
    parent.items.splice(parent.items.findIndex((item) => item.id === id), 1, ...inside);
  }
}

export function canUnwrap(document_, id) {
  const node = find(document_.root, id);
  const inside = node.item ? 1 : (node.items || []).length;
  const parent = parentOf(document_.root, id);
  return inside === 1 || Boolean(inside && parent && parent.items);
}
