/* What every part of the editor shares: the page's data, the state being edited, and what is looked at. */
import { byId } from './dom.js';
import { Live } from './live.js';
import { Store } from './store.js';

export const page = JSON.parse(byId('editor-data').textContent);
export const live = new Live(page.urls, byId('editor').dataset.csrf);
export const store = new Store({ dimension: page.dimension, segments: page.segments, removed: [], texts: {} });
export const attributes = new Map(page.vocabulary.attributes.map((each) => [each.key, each]));
/* Not undone: which segment and rule is shown, the last answers, and the cutline in somebody's hand. */
export const view = { segment: page.segments[0]?.key, place: 'rules/0', asText: false, attribute: '', said: page.said, counts: null, before: null, stretches: [], places: [], frozen: null };

export const segments = () => store.state.segments;
export const current = () => segments().find((each) => each.key === view.segment) || segments()[0];
export const labelOf = (key) => segments().find((each) => each.key === key)?.body.label || key;
export const saidOf = (key, place) => view.said.rules[key]?.[place];
export const textOf = (key, place) => store.state.texts[key]?.[place];

export function placesOf(segment) {
  return [...(segment.body.rules || []).map((_, at) => `rules/${at}`), ...page.stateful.filter((name) => segment.body[name])];
}

export function documentAt(segment, place) {
  const [name, at] = place.split('/');
  return name === 'rules' ? segment.body.rules?.[Number(at)]?.criteria : segment.body[name];
}

export function nameOf(segment, place) {
  const [name, at] = place.split('/');
  if (name !== 'rules') { return { move: 'To move in', stay: 'To stay' }[name] || name; }
  return `Rule ${segment.body.rules[Number(at)].key}`;
}

export function payload() {
  const { dimension, removed, texts } = store.state;
  return { dimension, segments: segments().map(({ key, digest, body }) => ({ key, digest, body })), removed, texts };
}
