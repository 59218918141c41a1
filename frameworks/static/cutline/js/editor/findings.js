/* What the rules alone leave open or claim twice: the server's list, and its places on the axis. */
import { live, payload, view } from './context.js';
import { byId, redraw } from './dom.js';

/* `then` draws the marks. The list is markup of our own templates, as in every part of a page that is loaded later. */
export function findAgain(then) {
  live.ask('findings', payload, ({ status, data }) => {
    byId('ed-findings').classList.toggle('stale', status !== 200);
    if (status !== 200) { byId('ed-found').textContent = data.detail; return; }
    view.places = data.places;
    const box = byId('ed-findings');
    const typed = new Map([...box.querySelectorAll('textarea')].map((each) => [each.id, each.value]));
    redraw(box, ...new DOMParser().parseFromString(data.html, 'text/html').body.children);
    box.querySelectorAll('textarea').forEach((each) => { each.value = typed.get(each.id) || ''; });
    byId('ed-found').textContent = summary(data.places);
    then();
  });
}

function summary(places) {
  if (!places.length) { return 'No gaps and no overlaps'; }
  const said = ['gap', 'overlap'].map((kind) => [kind, places.filter((each) => each.kind === kind).length]).filter(([, count]) => count).map(([kind, count]) => `${count} ${kind}${count === 1 ? '' : 's'}`);
  const empty = places.filter((each) => each.accounts === 0).length;
  return `${said.join(' and ')}, ${empty ? `${empty} without an account today` : 'all of them with accounts today'}`;
}

/* Places nobody is in: those with accounts are marked where these lie. */
export function emptyMarks(attribute) {
  return view.places.filter((each) => each.accounts === 0).flatMap((each) => (each.ranges[attribute.key] || []).map(([low, high]) => ({ kind: each.kind, low, high, isEmpty: true, words: `${each.kind}, no account` })));
}
