/* Rows of a part's form: added, moved up and taken out in place. Without script the same buttons post the form,
   and the page comes back with the row added, moved or gone. Leaving with unsaved changes asks first. */
const form = document.querySelector('[data-part-form]');

function renumbered(markup, number) {
  return markup.replaceAll('__row__', String(number));
}

function nextNumber(rows) {
  const numbers = [...rows.querySelectorAll(':scope > [data-row] [name]')]
    .map((field) => Number(field.name.slice(rows.dataset.rows.length + 1).split('.')[0]))
    .filter(Number.isInteger);
  return Math.max(-1, ...numbers) + 1;
}

function addRow(rows) {
  const template = rows.querySelector(':scope > template');
  const holder = document.createElement('template');
  holder.innerHTML = renumbered(template.innerHTML, nextNumber(rows));
  const row = holder.content.querySelector('[data-row]');
  template.before(row);
  row.querySelector('input, select, textarea')?.focus();
}

function dropRow(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (next?.querySelector('input, select, textarea') ?? form.querySelector('button[type=submit]')).focus();
}

form?.addEventListener('click', (event) => {
  const button = event.target.closest('[data-row-add], [data-row-up], [data-row-drop]');
  if (!button) { return; }
  event.preventDefault();
  const rows = button.closest('[data-rows]');
  const row = button.closest('[data-row]');
  if ('rowAdd' in button.dataset) { addRow(rows); }
  if ('rowDrop' in button.dataset) { dropRow(row); }
  if ('rowUp' in button.dataset && row.previousElementSibling?.matches('[data-row]')) {
    row.previousElementSibling.before(row);
    button.focus();
  }
  form.dataset.touched = '';
});

form?.addEventListener('input', () => { form.dataset.touched = ''; });
form?.addEventListener('submit', () => { delete form.dataset.touched; });
window.addEventListener('beforeunload', (event) => {
  if (form && 'touched' in form.dataset) { event.preventDefault(); }
});
