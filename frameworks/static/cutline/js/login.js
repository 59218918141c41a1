/* Demo only: one press fills the log-in form with a demo person. The names come from data attributes. */
document.querySelectorAll('[data-demo-email]').forEach((button) => {
  button.addEventListener('click', () => {
    const form = document.getElementById('login');
    form.querySelector('[name=login]').value = button.dataset.demoEmail;
    const password = form.querySelector('[name=password]');
    password.value = button.dataset.demoPassword;
    document.querySelectorAll('[data-demo-email]').forEach((other) => other.setAttribute('aria-pressed', String(other === button)));
    form.querySelector('[type=submit]').focus();
  });
});
