/* Theme: the cookie decides, the server renders it; without one the system's wish, set before the first paint.
   A classic script in <head>, because a module would run after the page was painted in the wrong colours. */
(function () {
  'use strict';
  const root = document.documentElement;
  if (root.hasAttribute('data-theme-auto') && matchMedia('(prefers-color-scheme: dark)').matches) {
    root.setAttribute('data-bs-theme', 'dark');
  }
  document.addEventListener('click', function (event) {
    if (!event.target.closest('[data-theme-switch]')) { return; }
    const next = root.getAttribute('data-bs-theme') === 'dark' ? 'light' : 'dark';
    root.setAttribute('data-bs-theme', next);
    const secure = location.protocol === 'https:' ? '; Secure' : '';
    document.cookie = 'cutline_theme=' + next + '; Path=/; Max-Age=31536000; SameSite=Lax' + secure;
    document.dispatchEvent(new CustomEvent('cutline:theme', { detail: next }));
  });
}());
