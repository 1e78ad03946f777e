/** Text that is safe inside HTML. */
const safe = (text) =>
  String(text).replace(
    /[&<>"']/g,
    (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[char],
  );

const style = `
  :root { color-scheme: light dark; --ink: #1d2a30; --paper: #f6f4ee; --line: #d9d4c5; --accent: #a2521c; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e8e4d8; --paper: #182024; --line: #334047; --accent: #e39a5f; } }
  * { box-sizing: border-box; }
  body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 4rem; background: var(--paper);
         color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
  h1 { margin: 0; font-size: 1.8rem; letter-spacing: -.02em; }
  h2 { margin: 2.2rem 0 .6rem; font-size: 1.1rem; }
  header p { margin: .2rem 0 0; opacity: .75; }
  main { display: grid; gap: 0 3rem; }
  @media (min-width: 48rem) { main { grid-template-columns: 3fr 2fr; } }
  table { width: 100%; border-collapse: collapse; }
  td, th { padding: .4rem .5rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
  th { font-weight: 600; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
  small { opacity: .7; }
  form { display: grid; gap: .7rem; }
  label { display: grid; gap: .2rem; font-size: .9rem; }
  input, select, button { font: inherit; padding: .45rem .6rem; border: 1px solid var(--line); border-radius: .4rem;
                          background: transparent; color: inherit; }
  button { background: var(--accent); border-color: var(--accent); color: #fff; cursor: pointer; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }`;

const number = new Intl.NumberFormat('en');
const time = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

/** The one page: what was seen last, the totals, and a form to add to them. */
export function page({ latest, totals, species }) {
  const rows = latest.map(
    (one) => `<tr><td>${safe(one.species)}<br><small>${safe(one.place)}</small></td>
      <td class="n">${number.format(one.birds)}</td><td><small>${time.format(one.seen_at)}</small></td></tr>`,
  );
  const counted = totals.map(
    (one) => `<tr><td>${safe(one.name)}<br><small><i>${safe(one.latin)}</i></small></td>
      <td class="n">${number.format(one.birds)}</td></tr>`,
  );
  const options = species.map((one) => `<option value="${one.id}">${safe(one.name)}</option>`);
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bird log</title><style>${style}</style></head>
<body>
<header><h1>Bird log</h1><p>What passed overhead, and where.</p></header>
<main>
<section>
  <h2>Seen last</h2>
  <table><thead><tr><th>Bird</th><th class="n">How many</th><th>When</th></tr></thead>
  <tbody>${rows.join('') || '<tr><td colspan="3">Nothing yet. Look up.</td></tr>'}</tbody></table>
</section>
<section>
  <h2>Add a sighting</h2>
  <form method="post" action="/sightings">
    <label>Bird <select name="species" required>${options.join('')}</select></label>
    <label>Place <input name="place" required maxlength="100" autocomplete="off"></label>
    <label>How many <input name="birds" type="number" min="1" max="1000000" value="1" required></label>
    <button>Add</button>
  </form>
  <h2>Totals</h2>
  <table><tbody>${counted.join('') || '<tr><td>The worker has not counted yet.</td></tr>'}</tbody></table>
</section>
</main>
</body></html>`;
}
