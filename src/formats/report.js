'use strict';
// Values under the pointer, and one run brought forward where several are drawn. The page is whole without it.
const element = (parent, kind, name, text) => {
  const made = parent.appendChild(document.createElement(kind));
  made.className = name;
  made.textContent = text ?? '';
  return made;
};

const shown = (value, share) => {
  if (share) return (100 * value).toFixed(2) + ' %';
  return Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString('en') : String(+value.toPrecision(4));
};

for (const plot of document.querySelectorAll('.plot')) {
  const numbers = (group, name) => group.dataset[name].split(' ').map(text => (text === '-' ? NaN : Number(text)));
  const series = [...plot.querySelectorAll('g.series')].map(group => (
    {group, name: group.dataset.name, x: numbers(group, 'x'), y: numbers(group, 'y'), line: group.querySelector('.line').getAttribute('d')}));
  const drawn = series.flatMap(one => [...one.line.matchAll(/[ML]([\d.-]+) /g)].map(match => Number(match[1])));
  const known = series.flatMap(one => one.x.filter((_, i) => !Number.isNaN(one.y[i])));
  const first = drawn.indexOf(Math.min(...drawn)), last = drawn.indexOf(Math.max(...drawn));
  const scale = (drawn[last] - drawn[first]) / (known[last] - known[first]) || 1;
  const place = x => (drawn[first] + scale * (x - known[first])) / 10;
  const cursor = element(plot, 'div', 'cursor'), tip = element(plot, 'div', 'tip');
  cursor.hidden = tip.hidden = true;

  const nearest = (one, at) => {
    let best = -1;
    for (let i = 0; i < one.x.length; i++) {
      if (!Number.isNaN(one.y[i]) && (best < 0 || Math.abs(place(one.x[i]) - at) < Math.abs(place(one.x[best]) - at))) best = i;
    }
    return best;
  };

  plot.addEventListener('pointermove', event => {
    const box = plot.getBoundingClientRect();
    const at = 100 * (event.clientX - box.left) / box.width;
    const points = series.map(one => ({one, i: nearest(one, at)})).filter(point => point.i >= 0);
    if (!points.length) return;
    const gap = point => Math.abs(place(point.one.x[point.i]) - at);
    const close = points.reduce((a, b) => (gap(b) < gap(a) ? b : a));
    const x = close.one.x[close.i];
    tip.replaceChildren();
    element(tip, 'p', '', plot.parentElement.querySelector('.x-title').textContent.split(' ')[0] + ' ' + +x.toPrecision(4));
    for (const {one, i} of points.slice(0, 12)) {
      const row = element(tip, 'div', one.group.getAttribute('class'));
      row.append(one.name);
      element(row, 'b', '', shown(one.y[i], plot.dataset.share === '1'));
    }
    cursor.hidden = tip.hidden = false;
    cursor.style.left = place(x) + '%';
    tip.style.left = place(x) > 50 ? '' : `calc(${place(x)}% + 10px)`;
    tip.style.right = place(x) > 50 ? `calc(${100 - place(x)}% + 10px)` : '';
  });
  plot.addEventListener('pointerleave', () => { cursor.hidden = tip.hidden = true; });
}

if (document.querySelector('table.runs')) {
  const focus = run => {
    document.body.classList.toggle('focus', run !== undefined);
    for (const group of document.querySelectorAll('.plot g.series')) group.classList.toggle('on', group.dataset.run === run);
  };
  for (const named of document.querySelectorAll('tr[data-run], .legend li[data-run]')) {
    named.addEventListener('pointerenter', () => focus(named.dataset.run));
    named.addEventListener('pointerleave', () => focus(undefined));
  }
}
