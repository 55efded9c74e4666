// What the tests ask of an open page; each question returns the faults that it found, in words.
window.looks = (() => {
  const all = (what, part = document) => [...part.querySelectorAll(what)];
  const style = e => getComputedStyle(e);
  const seen = e => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().width > 0;
  const name = e => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 40)}`;
  const scrolls = e => e && e.tagName !== 'MAIN' && (style(e).overflowX !== 'visible' || scrolls(e.parentElement));
  const hides = e => style(e).overflowX !== 'visible' && e.clientWidth && e.scrollWidth > e.clientWidth + 1;
  const few = (words, faults) => faults.slice(0, 3).map(fault => `${words}: ${fault}`);

  const look = e => !e ? '' : e.tagName + [...e.attributes]
    .map(({name, value}) => name === 'id' ? '' : name + value) + look(e.parentElement);
  const distinct = elements => {  // one of those that look alike
    const kept = {};
    return elements.filter(e => e === (kept[look(e)] ??= e));
  };
  const thinOut = () => {  // leave one of the words of code and maths that look alike
    const words = all(':is(pre, .katex) :not(:has(*))'), kept = new Set(distinct(words));
    for (const e of words) if (!kept.has(e)) e.replaceWith(e.textContent);
  };
  const grave = ({violations}) => violations.filter(v => /serious|critical/.test(v.impact))
    .map(v => `axe: ${v.id}: ${v.nodes.length} of ${v.nodes[0].html.slice(0, 90)} ${v.nodes[0].any[0]?.message ?? ''}`);
  const colours = ['color-contrast', 'link-in-text-block'];  // axe's rules that see them
  const says = e => e.matches('input, textarea')  // what is typed there is no text node
    || [...e.childNodes].some(part => part.nodeType === Node.TEXT_NODE && part.data.trim());

  return {
    async names(part) {
      thinOut();
      const rules = Object.fromEntries(colours.map(id => [id, {enabled: false}]));
      return grave(await axe.run(part ?? document, {resultTypes: ['violations'], rules}));
    },

    async colours(part) {
      const include = distinct(all('*', part ? document.querySelector(part) : document.body).filter(says));
      return grave(await axe.run({include}, {resultTypes: ['violations'], runOnly: colours}));
    },

    tooWide() {
      const root = document.documentElement, width = root.clientWidth;
      const out = all('main *').filter(e => {
        const box = e.getBoundingClientRect();
        return box.width && box.right > width + 1 && !scrolls(e.parentElement);
      });
      const page = root.scrollWidth > width ? [`page of ${root.scrollWidth}`] : [];
      return few('too wide', [...page, ...out.map(e => `${name(e)} reaches ${Math.round(e.getBoundingClientRect().right)}`)]);
    },

    async figures() {  // also those that come only when their reader does
      document.querySelectorAll('img').forEach(i => i.loading = 'eager');
      await Promise.all(all('img').map(i => i.decode().catch(() => {})));
      return few('figure not loaded', all('img').filter(i => !i.naturalWidth).map(i => i.alt || i.src.slice(0, 60)));
    },

    maths() {
      const found = all('main :is(.katex-error, .math:not(:has(.katex)))');
      const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const {data, parentElement} = texts.currentNode;
        const raw = /\$[^\s$][^$]*\$|\$\$|\\[([]/.test(data);
        if (raw && !parentElement.closest('pre, code, .katex, script')) found.push(parentElement);
      }
      return few('maths not typeset', found.map(name));
    },

    code() {
      const longest = pre => Math.max(...pre.textContent.split('\n').map(line => line.length));
      const wide = all('main pre.sourceCode').filter(pre => pre.scrollWidth > pre.clientWidth + 1 && longest(pre) <= 88);
      const links = all('main pre.sourceCode').filter(pre => /\]\((https?:|\/)/.test(pre.textContent));
      return [...few('too wide: code', wide.map(name)), ...few('raw link in code', links.map(name))];
    },

    stops() {  // what the Tab key comes to has a name, is a thing to press or to fill in, or scrolls
      const pressed = 'a[href], button, input, select, textarea, summary, iframe, video, [role="button"], [role="slider"], [role="tab"]';
      const named = e => e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length || e.getAttribute('aria-labelledby') || e.placeholder;
      const useless = all('[tabindex="0"]').filter(e => seen(e) && !e.matches(pressed) && !e.closest('.widget')
        && e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight);
      const nameless = all(pressed).filter(e => e.tabIndex >= 0 && seen(e) && !named(e));
      const first = all(`[tabindex="0"], ${pressed}`).find(e => e.tabIndex >= 0);
      const skip = first?.matches('.skip') && document.querySelector(first.hash) ? [] : [name(first)];
      const unnamed = all('nav, main, aside').filter(e => seen(e) && !e.ariaLabel);
      const here = document.querySelector('#quarto-sidebar .active')?.getBoundingClientRect();
      return [...few('tab stop without a purpose', useless.map(name)), ...few('tab stop without a name', nameless.map(name)),
        ...few('no skip link but', skip), ...few('landmark without a name', unnamed.map(name)),
        ...few('chapter out of sight', here && (here.top < 0 || here.bottom > innerHeight) ? [here.top] : [])];
    },

    dead() {  // without scripts nothing is offered that only they can do
      return few('dead without scripts', all('button, input, [onclick], .sidebar-item-toggle').filter(seen).map(name));
    },

    slabs() {  // in the dark, white paper is dimmed
      const dim = i => Number(style(i).filter.match(/brightness\(([\d.]+)\)/)?.[1] ?? 1);
      return few('white slab', all('main .cell-output img').filter(i => dim(i) > .8).map(i => i.alt));
    },

    cut() {  // what hides a part of itself shows that it does
      return few('cut without a sign', all('main *').filter(e => hides(e) && seen(e) && style(e).maskImage === 'none'
        && !e.matches('.katex-mathml, .visually-hidden, input, textarea, select') && !e.closest('.widget')).map(name))
        .concat(few('figure that scrolls', all('main *:has(> picture)').filter(hides).map(name)));
    },

    covered() {  // no copy button lies on words
      const over = (a, b) => a.left < b.right - 1 && a.right > b.left + 1 && a.top < b.bottom - 1 && a.bottom > b.top + 1;
      return few('copy button on code', all('.code-copy-button').filter(seen).filter(button => {
        const words = document.createRange(), pre = button.parentElement.querySelector('pre');
        words.selectNodeContents(pre);
        const place = button.getBoundingClientRect(), clip = pre.getBoundingClientRect();
        return [...words.getClientRects()].some(box => box.left < clip.right && over(place, box));
      }).map(b => name(b.parentElement)));
    },

    lost() {  // on paper all is there, and nothing scrolls
      const folded = all('details').filter(d => [...d.children].slice(1).some(e => !e.getBoundingClientRect().height));
      const hidden = all('main .cell-output').filter(e => !e.getBoundingClientRect().height && e.textContent.trim());
      const widgets = all('.widget').filter(e => !getComputedStyle(e, '::after').content.includes('http'));
      return [...few('folded on paper', folded.map(name)), ...few('lost on paper', hidden.map(name)),
        ...few('cut on paper', all('main *').filter(e => hides(e) && !e.matches('.katex-mathml') && !e.closest('.widget')).map(name)),
        ...few('no address on paper', widgets.map(name))];
    },
  };
})();
