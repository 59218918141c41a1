/* The shell: dialogs, closable messages, the phone's drawer, list keys, filters that submit by themselves. */
const typing = (target) => target.closest('input, textarea, select, [contenteditable]') !== null;
let afterG = 0;

function openDialog(dialog) {
  if (dialog && !dialog.open) {
    dialog.showModal();
    const first = dialog.querySelector('[autofocus], input:not([type=hidden]), textarea, select, button[type=submit]');
    if (first) { first.focus(); }
  }
}

openDialog(document.querySelector('[data-dialog-opened]'));

/* A button that says why it is shut must not act; caught on the way down, before htmx hears of it. */
document.addEventListener('click', (event) => {
  if (event.target.closest('[aria-disabled=true]')) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

document.addEventListener('click', (event) => {
  const { target } = event;
  const opener = target.closest('[data-dialog]');
  if (opener) {
    event.preventDefault();
    openDialog(document.querySelector(opener.dataset.dialog));
  } else if (target.closest('[data-dialog-close]')) {
    target.closest('dialog').close();
  } else if (target.closest('[data-shortcuts-open]')) {
    openDialog(document.getElementById('shortcuts'));
  } else if (target.closest('[data-note-close]')) {
    target.closest('[data-note]').remove();
  } else if (target.matches('dialog')) {
    target.close(); // the dialog itself is only hit on its backdrop: its content fills it
  }
});

/* Two presses of a governing button must not send the form twice. */
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method === 'get') { return; }
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = '1';
  setTimeout(() => { delete form.dataset.sent; }, 4000);
});

document.addEventListener('change', (event) => {
  const form = event.target.closest('form[data-autosubmit]');
  if (form) { form.requestSubmit(); }
});

function rows() {
  return [...document.querySelectorAll('main .tb tbody tr a[href]:first-of-type, main .row-q a.t')]
    .filter((link, at, all) => all.findIndex((other) => other.closest('tr, .row-q') === link.closest('tr, .row-q')) === at);
}

function step(by) {
  const links = rows();
  const next = links[links.indexOf(document.activeElement) + by] || links[by > 0 ? 0 : links.length - 1];
  if (next) { next.focus(); next.scrollIntoView({ block: 'nearest' }); }
}

function goTo(letter) {
  const link = document.querySelector(`[data-go="${CSS.escape(letter)}"]`);
  if (link) { link.click(); }
}

const keys = {
  '?': () => openDialog(document.getElementById('shortcuts')),
  '/': () => document.querySelector('main [role=search] input:not([type=hidden])')?.focus(),
  j: () => step(1),
  k: () => step(-1),
  g: () => { afterG = Date.now(); },
};

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && location.hash === '#more') { location.hash = '#main'; return; }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector('dialog[open]')) { return; }
  if (Date.now() - afterG < 1200 && event.key !== 'g') {
    afterG = 0;
    goTo(event.key);
    event.preventDefault();
  } else if (Object.hasOwn(keys, event.key)) {
    keys[event.key]();
    event.preventDefault();
  }
});
