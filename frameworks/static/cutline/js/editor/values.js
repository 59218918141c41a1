/* Attribute values as numbers on an axis, as the text a rule stores, and as people read them. */
const figures = new Intl.NumberFormat('en-US', { maximumFractionDigits: 9 });
const SYMBOLS = { USD: '$', EUR: '€', GBP: '£', JPY: '¥' };
const DAY = 86400000;
export const NUMERIC = new Set(['integer', 'decimal', 'money']);
export const TEMPORAL = new Set(['date', 'datetime']);

export function number(value) {
  return figures.format(value).replace('-', '−');
}

export function signed(value) {
  return value > 0 ? `+${number(value)}` : number(value);
}

export function money(text, currency) {
  const symbol = SYMBOLS[currency] || `${currency} `;
  const amount = Number(text);
  const [size, letter] = [[1e9, 'B'], [1e6, 'M'], [1e3, 'K']].find(([least]) => Math.abs(amount) >= least) || [1, ''];
  const digits = letter ? (amount / size).toFixed(1).replace(/\.0$/, '') : Math.round(amount).toString();
  return `${symbol}${digits}${letter}`;
}

export function isOnAxis(attribute) {
  return NUMERIC.has(attribute.type) || TEMPORAL.has(attribute.type);
}

/* NaN where the text is not a value of the attribute. */
export function toNumber(attribute, text) {
  const written = String(text ?? '').trim();
  if (!written) { return NaN; }
  return TEMPORAL.has(attribute.type) ? Date.parse(written) / DAY : Number(written);
}

export function toText(attribute, value) {
  if (TEMPORAL.has(attribute.type)) { return new Date(Math.round(value) * DAY).toISOString().slice(0, 10); }
  const least = attribute.minimum === null || attribute.minimum === undefined ? value : Math.max(value, Number(attribute.minimum));
  return attribute.type === 'integer' ? String(Math.round(least)) : least.toFixed(attribute.scale);
}

export function shown(attribute, value) {
  if (TEMPORAL.has(attribute.type)) {
    return new Date(Math.round(value) * DAY).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
  }
  if (attribute.type === 'money') { return `${SYMBOLS[attribute.unit] || `${attribute.unit} `}${number(value)}`; }
  return attribute.unit === 'percent' || attribute.unit === '%' ? `${number(value)} %` : number(value);
}

export function tick(attribute, value) {
  if (TEMPORAL.has(attribute.type)) {
    return new Date(value * DAY).toLocaleDateString('en-GB', { month: 'short', year: 'numeric', timeZone: 'UTC' });
  }
  if (Math.abs(value) >= 1e5) { return attribute.type === 'money' ? money(value, attribute.unit) : new Intl.NumberFormat('en-US', { notation: 'compact' }).format(value); }
  return attribute.type === 'money' ? shown(attribute, value) : number(value);
}

/* The step of one arrow key: one in the second figure of the value, never finer than the attribute. */
export function stepAt(attribute, value, coarse) {
  const finest = attribute.type === 'decimal' || attribute.type === 'money' ? 10 ** -attribute.scale : 1;
  if (TEMPORAL.has(attribute.type)) { return coarse ? 30 : 1; }
  const power = value ? Math.floor(Math.log10(Math.abs(value)) + 1e-9) : 0;
  return Math.max(finest, 10 ** (power - (coarse ? 0 : 1)));
}

/* A value under the pointer, to two figures. */
export function rounded(attribute, value, span) {
  if (TEMPORAL.has(attribute.type)) { return Math.round(value); }
  const step = span ? 10 ** Math.floor(Math.log10(span / 100)) : stepAt(attribute, value, false);
  const finest = attribute.type === 'integer' ? 1 : 10 ** -attribute.scale;
  const by = Math.max(step, finest);
  return Number((Math.round(value / by) * by).toFixed(9));
}
