/* Ladder: segments in precedence order, moved by dragging the grip or by its arrow keys.
   The order is kept in the hidden inputs inside the items, so posting the form posts the order. */
document.querySelectorAll('[data-ladder]').forEach((ladder) => {
  const say = document.createElement('span');
  say.className = 'visually-hidden';
  say.setAttribute('aria-live', 'polite');
  ladder.after(say);
  let carried = null;

  const items = () => [...ladder.children];

  function renumber() {
    items().forEach((item, index) => {
      const place = item.querySelector('[data-place]');
      if (place) { place.textContent = String(index + 1); }
    });
    ladder.dispatchEvent(new Event('change', { bubbles: true }));
  }

  function moved(item) {
    renumber();
    say.textContent = `${item.dataset.label} is now number ${items().indexOf(item) + 1} of ${items().length}`;
  }

  ladder.addEventListener('keydown', (event) => {
    const grip = event.target.closest('.grip');
    if (!grip) { return; }
    const item = grip.closest('li');
    if (event.key === 'ArrowUp' && item.previousElementSibling) {
      item.previousElementSibling.before(item);
    } else if (event.key === 'ArrowDown' && item.nextElementSibling) {
      item.nextElementSibling.after(item);
    } else {
      return;
    }
    event.preventDefault();
    grip.focus();
    moved(item);
  });

  ladder.addEventListener('pointerdown', (event) => {
    const grip = event.target.closest('.grip');
    if (!grip) { return; }
    carried = grip.closest('li');
    carried.classList.add('on');
    grip.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  ladder.addEventListener('pointermove', (event) => {
    if (!carried) { return; }
    const over = items().find((item) => {
      const box = item.getBoundingClientRect();
      return item !== carried && event.clientY > box.top && event.clientY < box.bottom;
    });
    if (!over) { return; }
    const below = items().indexOf(over) > items().indexOf(carried);
    if (below) { over.after(carried); } else { over.before(carried); }
  });
  ['pointerup', 'pointercancel'].forEach((name) => ladder.addEventListener(name, () => {
    if (!carried) { return; }
    carried.classList.remove('on');
    moved(carried);
    carried = null;
  }));
});
