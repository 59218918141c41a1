/* Questions to the server while somebody edits: one of a kind at a time, and only the newest answer counts. */

export class Live {
  constructor(urls, token) {
    this.urls = urls;
    this.token = token;
    this.running = {};
    this.waiting = {};
  }

  async post(url, body) {
    const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRFToken': this.token }, body: JSON.stringify(body) });
    if (answer.redirected && new URL(answer.url).pathname.startsWith('/login/')) { return { status: 401, data: { detail: 'You are no longer logged in. Log in in another tab, then save again: nothing is lost here.' } }; }
    let data = {};
    try { data = await answer.json(); } catch { data = { detail: 'The server did not answer with what was expected.' }; }
    return { status: answer.status, data };
  }

  /* Ask for `name` with what `body()` gives when the question is sent; newer questions replace waiting ones. */
  ask(name, body, then) {
    this.waiting[name] = { body, then };
    if (!this.running[name]) { this.next(name); }
  }

  async next(name) {
    const { body, then } = this.waiting[name];
    delete this.waiting[name];
    this.running[name] = true;
    let answer;
    try {
      answer = await this.post(this.urls[name], body());
    } catch {
      answer = { status: 0, data: { detail: 'Cutline cannot be reached. What you typed is kept here.' } };
    }
    this.running[name] = false;
    if (this.waiting[name]) { this.next(name); } else { then(answer); }
  }
}
