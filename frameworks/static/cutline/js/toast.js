/* A message in the corner: what happened, and what to do. No side effects: any module may import it. */
export function toast(title, text, level) {
  const note = document.createElement('div');
  note.className = `note ${level}`;
  note.dataset.note = '';
  note.setAttribute('role', level === 'bad' ? 'alert' : 'status');
  const icon = document.createElement('i');
  icon.className = `ti ti-${level === 'bad' ? 'alert-octagon' : 'info-circle'}`;
  icon.setAttribute('aria-hidden', 'true');
  const body = document.createElement('div');
  body.className = 'fill';
  const head = document.createElement('b');
  head.textContent = title;
  body.append(head, document.createElement('br'), text);
  const close = document.createElement('button');
  close.className = 'x';
  close.type = 'button';
  close.dataset.noteClose = '';
  close.setAttribute('aria-label', 'Close this message');
  close.textContent = '×';
  note.append(icon, body, close);
  document.getElementById('toasts').append(note);
}
