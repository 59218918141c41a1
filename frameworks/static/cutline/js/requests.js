/* What htmx requests share: the load bar, errors in words, the way back to the log-in page, focus kept. */
import { toast } from './toast.js';

const words = {
  0: ['Cutline cannot be reached.', 'Nothing was sent twice. Check the connection and try again.'],
  403: ['You may not do this.', 'Nothing was changed. If your role should allow it, ask RevOps.'],
  404: ['This is no longer here.', 'It may have been moved or closed. Reload the page to see what is.'],
  409: ['Somebody changed this in the meantime.', 'Nothing of yours was saved. Reload the page, look at the change, then decide again.'],
  413: ['This is too large.', 'Nothing was saved.'],
  429: ['Too many attempts.', 'Wait a minute, then try again.'],
  500: ['Cutline failed to answer.', 'Nothing was half-saved. The error is in the log; try again in a moment.'],
};
let running = 0;

function busy(by) {
  running = Math.max(0, running + by);
  document.body.classList.toggle('busy', running > 0);
}

function reason(xhr) {
  const type = xhr.getResponseHeader('Content-Type') || '';
  if (!/json/.test(type)) { return ''; }
  try {
    const body = JSON.parse(xhr.responseText);
    return body.detail || body.title || '';
  } catch {
    return '';
  }
}

document.addEventListener('htmx:beforeRequest', () => busy(1));
document.addEventListener('htmx:afterRequest', () => busy(-1));

/* A session that ended answers a fragment with the log-in page: go there instead of showing it inside this one. */
document.addEventListener('htmx:beforeSwap', (event) => {
  const { xhr } = event.detail;
  if (new URL(xhr.responseURL || location.href, location.href).pathname.startsWith('/login/')) {
    event.detail.shouldSwap = false;
    const back = encodeURIComponent(location.pathname + location.search);
    location.assign(`/login/?next=${back}`);
  }
});

document.addEventListener('htmx:responseError', (event) => {
  const { xhr } = event.detail;
  const known = words[xhr.status] || (xhr.status >= 500 ? words[500] : ['This did not work.', 'Nothing was changed.']);
  toast(known[0], reason(xhr) || known[1], 'bad');
});

['htmx:sendError', 'htmx:timeout'].forEach((name) => {
  document.addEventListener(name, () => toast(words[0][0], words[0][1], 'bad'));
});
