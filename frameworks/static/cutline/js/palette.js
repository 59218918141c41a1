/* Command palette (Ctrl+K): pages of the sidebar at once, accounts, segments and versions from the server. */
const dialog = document.getElementById('palette');

if (dialog) {
  const input = dialog.querySelector('input');
  const list = dialog.querySelector('ul');
  const none = dialog.querySelector('.none');
  let found = [];
  let at = 0;
  let timer = 0;
  let turn = 0;

  const pages = () => [...document.querySelectorAll('.side a[data-label]')].map((link) => ({
    label: link.dataset.label, kind: 'Page', url: link.href,
  }));

  function paint() {
    list.replaceChildren(...found.map((item, index) => {
      const row = document.createElement('li');
      row.id = `palette-${index}`;
      row.setAttribute('role', 'option');
      row.setAttribute('aria-selected', String(index === at));
      const kind = document.createElement('span');
      kind.className = 'k';
      kind.textContent = item.kind;
      row.append(item.label, kind);
      row.dataset.at = String(index);
      return row;
    }));
    none.hidden = found.length > 0;
    if (found.length) {
      input.setAttribute('aria-activedescendant', `palette-${at}`);
      list.children[at].scrollIntoView({ block: 'nearest' });
    } else {
      input.removeAttribute('aria-activedescendant');
    }
  }

  function show(items) {
    found = items;
    at = 0;
    paint();
  }

  async function search() {
    const asked = input.value.trim();
    const mine = pages().filter((page) => page.label.toLowerCase().includes(asked.toLowerCase()));
    const ticket = (turn += 1);
    show(mine);
    if (!asked || !dialog.dataset.url) { return; }
    try {
      const answer = await fetch(`${dialog.dataset.url}?q=${encodeURIComponent(asked)}`, { headers: { Accept: 'application/json' } });
      if (!answer.ok || ticket !== turn) { return; }
      const body = await answer.json();
      const seen = new Set(mine.map((page) => new URL(page.url, location.href).pathname));
      const more = (Array.isArray(body) ? body : body.results || []).filter((item) => !seen.has(item.url));
      if (ticket === turn) { show([...mine, ...more]); }
    } catch {
      show(mine); // offline: the pages are still reachable
    }
  }

  function go(index) {
    const item = found[index];
    if (item && new URL(item.url, location.href).origin === location.origin) { location.assign(item.url); }
  }

  function open() {
    if (dialog.open) { return; }
    input.value = '';
    dialog.showModal();
    search();
    input.focus();
  }

  input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(search, 120); });
  input.addEventListener('keydown', (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && found.length) {
      at = (at + by + found.length) % found.length;
      paint();
      event.preventDefault();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      go(at);
    }
  });
  list.addEventListener('click', (event) => {
    const row = event.target.closest('li');
    if (row) { go(Number(row.dataset.at)); }
  });
  document.addEventListener('click', (event) => { if (event.target.closest('[data-palette-open]')) { open(); } });
  document.addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') { event.preventDefault(); open(); }
  });
}
