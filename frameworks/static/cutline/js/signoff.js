/* Sign-off: counts what is answered, names what is open, keeps the button shut until every No has its reason.
   Only comfort: the server checks the same, and the form works without this script. */
const form = document.querySelector('form[data-signoff]');

if (form) {
  const terms = [...form.querySelectorAll('[data-term]')];
  const count = form.querySelector('[data-signoff-count]');
  const open = form.querySelector('[data-signoff-open]');
  const next = form.querySelector('[data-signoff-next]');
  const submit = form.querySelector('[data-signoff-submit]');
  // Any one of them is enough: the password, or a code of the authenticator app.
  const secrets = [...form.querySelectorAll('[data-signoff-secret]')];

  const answer = (term) => term.querySelector('.yn input[type=radio]:checked')?.value || '';
  const reason = (term) => term.querySelector('.why textarea');

  function missing(term) {
    const given = answer(term);
    if (!given) { return 'no answer yet'; }
    return given === 'no' && reason(term) && !reason(term).value.trim() ? 'needs a reason' : '';
  }

  function summarise(term) {
    const place = form.querySelector(`[data-signoff-sum="${CSS.escape(term.dataset.term)}"]`);
    if (!place) { return; }
    const lack = missing(term);
    place.textContent = lack || (answer(term) === 'no' ? 'No, with a reason' : 'Yes');
    place.className = lack ? 'warn' : answer(term) === 'no' ? 'bad' : '';
  }

  function refresh() {
    const lacking = terms.filter(missing);
    terms.forEach((term) => {
      const text = reason(term);
      if (text) { text.required = answer(term) === 'no'; }
      summarise(term);
    });
    count.textContent = `${terms.length - lacking.length} of ${terms.length} answered`;
    const lacksSecret = secrets.length > 0 && secrets.every((secret) => !secret.value);
    open.textContent = lacking.length
      ? `${lacking[0].dataset.label} ${missing(lacking[0]) === 'needs a reason' ? 'needs a reason' : 'is open'}`
      : lacksSecret ? 'Your password signs all of them at once' : 'Ready to sign';
    submit.setAttribute('aria-disabled', String(lacking.length > 0 || Boolean(lacksSecret)));
    if (next) {
      next.hidden = lacking.length === 0 && !lacksSecret;
      next.href = lacking.length ? `#${lacking[0].id}` : '#sign';
    }
  }

  form.addEventListener('change', (event) => {
    refresh();
    if (event.target.matches('.yn .no input')) { reason(event.target.closest('[data-term]'))?.focus(); }
  });
  form.addEventListener('input', refresh);
  form.addEventListener('submit', (event) => {
    if (submit.getAttribute('aria-disabled') === 'true') { event.preventDefault(); }
  });
  refresh();
}
