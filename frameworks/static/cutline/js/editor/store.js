/* What is being edited, with undo and redo. The state is plain data: a step is a copy of it. */
const MERGED_WITHIN = 1500;

/* Equal content as equal text, whatever the order of its fields. */
export function sorted(value) {
  return JSON.stringify(value, (_, each) => (each && typeof each === 'object' && !Array.isArray(each) ? Object.fromEntries(Object.keys(each).sort().map((key) => [key, each[key]])) : each));
}

export class Store {
  constructor(state) {
    this.state = state;
    this.past = [];
    this.future = [];
    this.merge = { key: '', at: 0 };
    this.listeners = [];
    this.saved = this.written();
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  /* `change(state)` alters the state in place. Steps with the same `merge` key in quick succession are undone as one. */
  change(change, { merge = '' } = {}) {
    const before = structuredClone(this.state);
    change(this.state);
    const now = Date.now();
    const joins = merge && merge === this.merge.key && now - this.merge.at < MERGED_WITHIN && this.past.length;
    if (!joins) { this.past.push(before); }
    this.merge = { key: merge, at: now };
    this.future = [];
    this.tell({ merge });
  }

  /* What the server made of the same content: no step of its own. */
  adopt(change) {
    change(this.state);
    this.adopted?.();
  }

  undo() {
    if (!this.past.length) { return; }
    this.future.push(this.state);
    this.state = this.past.pop();
    this.merge.key = '';
    this.tell({ merge: '' });
  }

  redo() {
    if (!this.future.length) { return; }
    this.past.push(this.state);
    this.state = this.future.pop();
    this.merge.key = '';
    this.tell({ merge: '' });
  }

  endMerge() {
    this.merge.key = '';
  }

  tell(how) {
    this.listeners.forEach((listener) => listener(how));
  }

  /* What a save would send, as one text: equal texts have nothing to save between them. */
  written() {
    const { dimension, segments, removed, texts } = this.state;
    return sorted([dimension.body, segments.map((each) => [each.key, each.body]), removed.map((each) => each.key), texts]);
  }

  get isDirty() {
    return this.written() !== this.saved;
  }

  /* The parts are stored as they are now, under these digests ("kind/key"). */
  keep(digests) {
    [this.state, ...this.past, ...this.future].forEach((state) => {
      const { key } = state.dimension;
      state.dimension.digest = digests[`dimension/${key}`] || '';
      state.segments.forEach((segment) => {
        segment.digest = digests[`segment/${key}/${segment.key}`] || '';
        segment.playbook = digests[`playbook/${key}/${segment.key}`] || '';
      });
      state.removed.splice(0, state.removed.length, ...state.removed.filter((part) => digests[`${part.kind}/${part.key}`]).map((part) => ({ ...part, digest: digests[`${part.kind}/${part.key}`] })));
    });
    this.saved = this.written();
  }
}
